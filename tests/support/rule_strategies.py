"""Rule books, people, calls and states of every sort, for properties of the rules."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from pulsekeeper.decisions.rules.book import compile_book
from pulsekeeper.decisions.rules.calendar import PERIODS
from pulsekeeper.decisions.rules.campaigns import Campaign, Cap, Exempt, Frequency, Release, Rollout, Segment, Trigger
from pulsekeeper.decisions.rules.model import CampaignState, DecideRequest, Policy, VisitorState, Visits
from pulsekeeper.decisions.rules.people import Person
from tests.support.rules import NOW

FLAGS = ["a", "b"]
IDS = ["one", "two", "three", "four"]
RELEASES = ["2025.9.30", "2025.10.1", "2025.10.2", "v3-rc1"]

# Half of the time something is set so that most people meet it: with too many conditions nothing would ever be shown.
near = st.timedeltas(timedelta(days=-70), timedelta(days=70)) | st.sampled_from(
    [timedelta(minutes=-30), timedelta(days=-1), timedelta(days=-30), timedelta(0), timedelta(hours=-1)]
)
moments = near.map(lambda distance: NOW + distance)
wild = st.datetimes().map(lambda moment: moment.replace(tzinfo=UTC))
past = near.map(lambda distance: NOW - abs(distance))
days = st.none() | st.integers(0, 60)
counts = st.none() | st.integers(0, 12)

caps = st.builds(Cap, cap=st.integers(1, 3), period=st.sampled_from(["P1D", "P7D", "PT1H"]), clock=st.just("rolling"))
calendar_caps = st.builds(
    Cap, cap=st.integers(1, 3), period=st.sampled_from(sorted(PERIODS)), clock=st.just("calendar")
)
frequencies = st.builds(
    Frequency,
    lifetime=st.none() | st.integers(1, 4),
    caps=st.lists(caps | calendar_caps, max_size=2).map(tuple),
    offers=st.integers(1, 4),
    until_acknowledged=st.booleans(),
)
triggers = (
    st.just(Trigger())
    | st.builds(Trigger, min_visits=counts, max_visits_today=counts)
    | st.builds(
        Trigger,
        release_id=st.none() | st.sampled_from(RELEASES),
        min_days_since_last_seen=days,
        max_days_since_last_seen=days,
        min_visits=counts,
        max_visits=counts,
        max_visits_today=counts,
        require_auth=st.booleans(),
        feature_flags=st.lists(st.sampled_from(FLAGS), max_size=1).map(tuple),
        segment=st.just(Segment()) | st.builds(Segment, regions=st.just(("US",)), device_type=st.just(("mobile",))),
        when=st.none() | st.sampled_from(["visits.total > 3", "attributes.plan == 'free'", "no such thing"]),
    )
)
campaigns = st.builds(
    Campaign,
    id=st.sampled_from(IDS),
    type=st.just("onboarding"),
    action=st.just("SHOW_DIALOG"),
    priority=st.integers(-1, 2),
    active=st.sampled_from([True] * 9 + [False]),
    valid_from=st.none() | past | moments,
    valid_to=st.none() | past.map(lambda moment: NOW + (NOW - moment)) | moments,
    trigger=triggers,
    rollout=st.none() | st.none() | st.builds(Rollout, percent=st.floats(0, 100), salt=st.sampled_from(["", "s"])),
    frequency=frequencies,
    exempt=st.builds(Exempt, cooldown=st.booleans(), quiet=st.booleans()),
    together=st.booleans(),
    personal=st.sampled_from([False, False, True]),
)
releases = st.builds(Release, id=st.sampled_from(RELEASES), released_at=moments)
policies = st.just(Policy()) | st.builds(
    Policy,
    visit_gap=st.timedeltas(timedelta(0), timedelta(hours=2)),
    reservation=st.timedeltas(timedelta(0), timedelta(hours=2)),
    cooldown=st.timedeltas(timedelta(0), timedelta(days=2)),
    quiet_after=st.integers(0, 9),
)
books = st.builds(compile_book, st.lists(campaigns, min_size=1, max_size=4), st.lists(releases, max_size=3), policies)
frequent_books = st.builds(
    compile_book,
    st.lists(
        st.builds(
            Campaign,
            id=st.sampled_from(IDS[:2]),
            type=st.just("survey"),
            action=st.just("SHOW_DIALOG"),
            frequency=frequencies,
            exempt=st.builds(Exempt, cooldown=st.booleans(), quiet=st.just(value=True)),
        ),
        min_size=1,
        max_size=2,
    ),
    st.just(()),
    policies,
)
"""Books in which nothing but frequency, answers and the cool-down refuses anybody."""

people = st.builds(
    Person,
    key=st.text(min_size=1, max_size=12),
    kind=st.sampled_from(["user", "visitor", "ip"]),
    authenticated=st.booleans(),
    roles=st.sampled_from([(), ("organizer",)]),
)
requests = st.builds(
    DecideRequest,
    release_id=st.sampled_from(RELEASES) | st.text(min_size=1, max_size=8),
    feature_flags=st.sampled_from([(), ("a",), ("a", "b")]),
    timezone=st.none() | st.sampled_from(["America/New_York", "Pacific/Apia", "Nowhere"]),
    timezone_offset=st.none() | st.integers(-1080, 1080),
    last_client_action_at=st.none() | moments | wild,
    attributes=st.dictionaries(
        st.sampled_from(["region", "deviceType", "plan"]),
        st.sampled_from(["US", "US-MA", "mobile", "free"])
        | st.integers(-9, 9)
        | st.just(("US", "mobile"))
        | st.booleans(),
    ),
)


def states_of(at: st.SearchStrategy[datetime]) -> st.SearchStrategy[VisitorState]:
    """States whose moments come from `at`."""
    touched = st.builds(
        CampaignState,
        offers=st.integers(0, 5),
        last_offered_at=st.none() | at,
        shown_at=st.lists(at, max_size=4).map(tuple),
        acknowledged_at=st.none() | at,
        dismissed_at=st.none() | at,
    )
    return st.builds(
        VisitorState,
        first_seen_at=st.none() | at,
        last_seen_at=at,
        visits=st.builds(
            Visits,
            today=st.integers(0, 9),
            this_week=st.integers(0, 9),
            total=st.integers(0, 20) | st.just(2**53),
            day=st.sampled_from(["", "2025-10-15", "nonsense"]),
            week=st.sampled_from(["", "2025-W42"]),
        ),
        last_release_seen=st.none() | st.sampled_from(RELEASES),
        last_release_visited=st.none() | st.sampled_from(RELEASES),
        campaigns=st.dictionaries(st.sampled_from([*IDS, "gone"]), touched, min_size=1, max_size=5),
        version=st.integers(0, 9),
    )


befores = st.none() | states_of(past) | states_of(past)
