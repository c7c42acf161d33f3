"""What holds for every rule book, every person and every moment."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pulsekeeper.decisions.rules.book import RuleBook, compile_book
from pulsekeeper.decisions.rules.calendar import PERIODS, bounds, zone_of
from pulsekeeper.decisions.rules.campaigns import Campaign, Cap, Exempt, Frequency, Rollout
from pulsekeeper.decisions.rules.deciding import Outcome, decide
from pulsekeeper.decisions.rules.model import CampaignState, DecideRequest, Policy, VisitorState
from pulsekeeper.decisions.rules.people import Person
from tests.support.rule_strategies import (
    befores,
    books,
    calendar_caps,
    campaigns,
    caps,
    frequent_books,
    near,
    past,
    people,
    requests,
    states_of,
    wild,
)
from tests.support.rules import NOW, VISITOR, winners
from tests.support.rules_naively import Call, differences


def decided(book: RuleBook, person: Person, before: VisitorState | None, request: DecideRequest) -> Outcome:
    return decide(book, person, before, request, NOW)


@given(books, people, st.none() | states_of(wild | past), requests)
def test_it_never_raises_and_every_campaign_has_exactly_one_reason(
    book: RuleBook, person: Person, before: VisitorState | None, request: DecideRequest
) -> None:
    """Also for states with moments at both ends of time, which somebody may have written by hand."""
    outcome = decided(book, person, before, request)
    assert [verdict.campaign_id for verdict in outcome.verdicts] == [entry.campaign.id for entry in book.entries]
    assert all(verdict.reason for verdict in outcome.verdicts)
    assert {v.campaign_id for v in outcome.verdicts if v.verdict == "shown"} == set(winners(outcome))
    assert 60 <= outcome.next_check_seconds <= 3600
    assert outcome.after.version == (0 if before is None else before.version) + 1


@given(books | frequent_books, people, befores, requests)
def test_what_is_shown_is_in_season_and_unanswered_and_under_every_cap(
    book: RuleBook, person: Person, before: VisitorState | None, request: DecideRequest
) -> None:
    for campaign_id in winners(decided(book, person, before, request)):
        campaign = book.by_id[campaign_id].campaign
        state = CampaignState() if before is None else before.campaigns.get(campaign_id, CampaignState())
        assert campaign.active
        assert campaign.valid_from is None or campaign.valid_from <= NOW
        assert campaign.valid_to is None or campaign.valid_to > NOW
        assert not (campaign.frequency.until_acknowledged and (state.acknowledged_at or state.dismissed_at))
        assert campaign.frequency.lifetime is None or len(state.shown_at) < campaign.frequency.lifetime
        for cap in campaign.frequency.caps:
            assert sum(moment > since(cap, request) for moment in state.shown_at) < cap.cap


@given(
    caps | calendar_caps,
    st.lists(
        st.timedeltas(timedelta(0), timedelta(days=10)) | st.timedeltas(timedelta(0), timedelta(hours=30)), max_size=5
    ),
    requests,
)
def test_a_cap_refuses_exactly_as_long_as_it_is_reached(
    cap: Cap, ages: list[timedelta], request: DecideRequest
) -> None:
    campaign = Campaign(
        id="one", type="survey", action="A", frequency=Frequency(caps=(cap,)), exempt=Exempt(cooldown=True, quiet=True)
    )
    state = CampaignState(offers=len(ages), shown_at=tuple(NOW - age for age in ages))
    before = VisitorState(last_seen_at=NOW - timedelta(days=1), campaigns={campaign.id: state})
    is_free = sum(shown > since(cap, request) for shown in state.shown_at) < cap.cap
    assert bool(decided(compile_book([campaign], (), Policy()), VISITOR, before, request).decisions) == is_free


def since(cap: Cap, request: DecideRequest) -> datetime:
    """The last moment that does not count towards a cap, worked out in another way than the rules do it."""
    if cap.clock == "rolling":
        return NOW - {"P1D": timedelta(days=1), "P7D": timedelta(days=7), "PT1H": timedelta(hours=1)}[cap.period]
    zone = zone_of(request.timezone, request.timezone_offset)
    return bounds(NOW, zone, PERIODS[cap.period]).start - timedelta(microseconds=1)


@given(
    (books | frequent_books).filter(lambda book: book.parts.policy.reservation > timedelta(0)),
    people,
    befores,
    requests,
)
def test_asking_twice_at_once_never_shows_the_same_thing_twice(
    book: RuleBook, person: Person, before: VisitorState | None, request: DecideRequest
) -> None:
    first = decided(book, person, before, request)
    second = decided(book, person, first.after, request)
    assert not set(winners(first)) & set(winners(second))


@given(campaigns, people, st.lists(requests, min_size=1, max_size=4), st.lists(near.map(abs), max_size=4))
def test_a_dismissed_campaign_never_returns(
    campaign: Campaign, person: Person, calls: Sequence[DecideRequest], pauses: Sequence[timedelta]
) -> None:
    ended = replace(campaign, frequency=replace(campaign.frequency, until_acknowledged=True))
    book, now = compile_book([ended], (), Policy()), NOW
    state = VisitorState(last_seen_at=now, campaigns={ended.id: CampaignState(offers=1, dismissed_at=now)})
    for request, pause in zip(calls, pauses, strict=False):
        now += pause
        outcome = decide(book, person, state, request, now)
        assert outcome.decisions == ()
        state = outcome.after


@given(st.lists(campaigns, min_size=1, max_size=4), campaigns, people, befores, requests)
def test_a_campaign_of_lower_priority_never_changes_the_winner(
    before_it: list[Campaign], newcomer: Campaign, person: Person, before: VisitorState | None, request: DecideRequest
) -> None:
    lower = replace(newcomer, id="newcomer", priority=-9)
    alone = winners(decided(compile_book(before_it, (), Policy()), person, before, request))
    joined = winners(decided(compile_book([*before_it, lower], (), Policy()), person, before, request))
    assert [each for each in joined if each != "newcomer"] == alone
    assert joined[: len(alone)] == alone


@given(campaigns, people, befores, requests, st.tuples(st.floats(0, 100), st.floats(0, 100)))
def test_a_higher_percentage_takes_nobody_out(
    campaign: Campaign, person: Person, before: VisitorState | None, request: DecideRequest, shares: tuple[float, float]
) -> None:
    shown = [
        bool(
            decided(
                compile_book([replace(campaign, rollout=Rollout(percent=percent))], (), Policy()),
                person,
                before,
                request,
            ).decisions
        )
        for percent in sorted(shares)
    ]
    assert shown != [True, False]


@given(books | frequent_books, st.lists(st.tuples(people, befores, requests, near.map(abs)), min_size=1, max_size=4))
def test_a_rule_book_decides_as_if_every_rule_asked_every_campaign_each_time(
    book: RuleBook, calls: Sequence[tuple[Person, VisitorState | None, DecideRequest, timedelta]]
) -> None:
    """What it has prepared, and what it remembers of other people, make no difference."""
    for person, before, request, pause in calls:
        now = NOW + pause
        call = Call(book=book, person=person, before=before, request=request, now=now)
        assert differences(call, decide(book, person, before, request, now)) == []


@given(books, people, befores, requests)
def test_the_state_never_moves_back(
    book: RuleBook, person: Person, before: VisitorState | None, request: DecideRequest
) -> None:
    after = decided(book, person, before, request).after
    if before is None:
        return
    assert after.last_seen_at >= before.last_seen_at
    assert after.visits.total - before.visits.total in {0, 1}
    assert after.last_release_seen == before.last_release_seen
    visited = before.last_release_visited
    assert visited is None or not book.terms.releases.is_newer(visited, after.last_release_visited or "")
