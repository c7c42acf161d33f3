"""Short ways to write campaigns (as JSON, like operators), people and calls, for tests of the rules."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from pulsekeeper.decisions.rulebook.reading import read_campaign
from pulsekeeper.decisions.rules.book import RuleBook, compile_book
from pulsekeeper.decisions.rules.campaigns import Campaign, Release
from pulsekeeper.decisions.rules.deciding import Outcome, decide
from pulsekeeper.decisions.rules.model import CampaignState, DecideRequest, Policy, VisitorState, Visits
from pulsekeeper.decisions.rules.people import Person

NOW = datetime(2025, 10, 15, 12, 0, tzinfo=UTC)
"""A Wednesday."""

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
INSTANT = timedelta(microseconds=1)

VISITOR = Person(key="visitor:1f", kind="visitor")
USER = Person(key="user:u-1", kind="user", authenticated=True, roles=("organizer",))
ADDRESS = Person(key="ip:2a", kind="ip")

RELEASE = Release(id="2025.10.1", released_at=NOW - 5 * DAY)


def campaign(campaign_id: str = "hello", **members: object) -> Campaign:
    """A campaign without conditions, but for `members`, which are JSON: `trigger={"minVisits": 2}`."""
    return read_campaign({"id": campaign_id, "type": "onboarding", "action": "SHOW_DIALOG", **members})


def call(**members: object) -> DecideRequest:
    """A page that asks; `members` are JSON."""
    return msgspec.convert({"releaseId": "2025.10.1", **members}, DecideRequest)


REQUEST = call()


def book_of(*campaigns: Campaign, releases: Iterable[Release] = (RELEASE,), policy: Policy | None = None) -> RuleBook:
    """The rule book of some campaigns."""
    return compile_book(campaigns, releases, policy or Policy())


def seen(
    ago: timedelta = DAY,
    *,
    total: int = 5,
    today: int = 0,
    release: str | None = "2025.9.30",
    campaigns: dict[str, CampaignState] | None = None,
) -> VisitorState:
    """Somebody who was here before, last seen `ago`, with `today` visits on the day of `NOW`."""
    return VisitorState(
        first_seen_at=NOW - 90 * DAY,
        last_seen_at=NOW - ago,
        visits=Visits(today=today, this_week=today, total=total, day="2025-10-15", week="2025-W42"),
        last_release_seen=release,
        last_release_visited=release,
        campaigns=campaigns or {},
        version=total,
    )


def shown(*ago: timedelta, offers: int | None = None) -> CampaignState:
    """A campaign that was offered, and confirmed at once, at each of these times ago."""
    return CampaignState(
        offers=len(ago) if offers is None else offers,
        last_offered_at=NOW - min(ago),
        shown_at=tuple(sorted(NOW - each for each in ago)),
    )


def offered(ago: timedelta, offers: int = 1) -> CampaignState:
    """A campaign that was last offered `ago` and never answered."""
    return CampaignState(offers=offers, last_offered_at=NOW - ago)


def ask(
    rules: RuleBook | Campaign,
    before: VisitorState | None = None,
    request: DecideRequest = REQUEST,
    *,
    person: Person = VISITOR,
    now: datetime = NOW,
) -> Outcome:
    """Decide, with everything that a test does not care about filled in."""
    return decide(book_of(rules) if isinstance(rules, Campaign) else rules, person, before, request, now)


def reason(
    rules: RuleBook | Campaign,
    before: VisitorState | None = None,
    request: DecideRequest = REQUEST,
    *,
    person: Person = VISITOR,
    now: datetime = NOW,
) -> str:
    """What became of the only campaign: `shown`, or the code of the rule that refused it."""
    (verdict,) = ask(rules, before, request, person=person, now=now).verdicts
    return "shown" if verdict.verdict == "shown" else verdict.reason


def winners(outcome: Outcome) -> list[str]:
    """The ids of what is shown, the winner first."""
    return [decision.campaign_id for decision in outcome.decisions]


def verdicts(outcome: Outcome) -> dict[str, str]:
    """The reason of each campaign, in the order in which they win."""
    return {verdict.campaign_id: verdict.reason for verdict in outcome.verdicts}
