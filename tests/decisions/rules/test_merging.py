from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pulsekeeper.decisions.rules.campaigns import Release
from pulsekeeper.decisions.rules.merging import merge
from pulsekeeper.decisions.rules.model import CampaignState, VisitorState, Visits
from pulsekeeper.decisions.rules.releases import Releases
from tests.support.decisions import NOW
from tests.support.rule_strategies import past, releases, states_of

DAY = timedelta(days=1)
NO_RELEASES = Releases(())
states = states_of(past)


def merged(one: VisitorState, other: VisitorState) -> VisitorState:
    return merge("user:ann", one, "visitor:ann", other, NO_RELEASES)


@given(one=states, other=states, known=st.lists(releases, max_size=3))
def test_it_does_not_matter_which_of_two_comes_first(
    one: VisitorState, other: VisitorState, known: list[Release]
) -> None:
    there, back = Releases(known), Releases(known)

    assert merge("a", one, "b", other, there) == merge("b", other, "a", one, back)


@given(one=states, other=states, known=st.lists(releases, max_size=3))
def test_merging_again_changes_nothing(one: VisitorState, other: VisitorState, known: list[Release]) -> None:
    once = merge("a", one, "b", other, Releases(known))

    assert merge("a", once, "b", other, Releases(known)) == once


@given(one=states, other=states)
def test_no_answer_is_ever_lost(one: VisitorState, other: VisitorState) -> None:
    result = merged(one, other)
    for before in (one, other):
        for campaign_id, known in before.campaigns.items():
            after = result.campaigns[campaign_id]
            assert set(known.shown_at) <= set(after.shown_at)
            assert known.dismissed_at is None or after.dismissed_at is not None
            assert known.acknowledged_at is None or after.acknowledged_at is not None
            assert after.offers - len(after.shown_at) >= known.offers - len(known.shown_at)


def test_the_earliest_beginning_the_latest_sight_and_all_visits() -> None:
    one = VisitorState(first_seen_at=NOW - 9 * DAY, last_seen_at=NOW - 3 * DAY, visits=Visits(total=4))
    other = VisitorState(first_seen_at=NOW - 5 * DAY, last_seen_at=NOW - DAY, visits=Visits(total=3))

    result = merged(one, other)

    assert (result.first_seen_at, result.last_seen_at, result.visits.total) == (NOW - 9 * DAY, NOW - DAY, 7)


def test_visits_of_another_day_are_not_todays() -> None:
    yesterday = Visits(today=5, this_week=5, total=5, day="2026-03-09", week="2026-W11")
    today = Visits(today=2, this_week=2, total=2, day="2026-03-10", week="2026-W11")

    result = merged(
        VisitorState(last_seen_at=NOW - DAY, visits=yesterday), VisitorState(last_seen_at=NOW, visits=today)
    )

    assert result.visits == Visits(today=2, this_week=7, total=7, day="2026-03-10", week="2026-W11")


def test_rows_that_are_linked_already_do_not_add_their_visits_up() -> None:
    one = VisitorState(last_seen_at=NOW, visits=Visits(total=7), linked=("visitor:ann",))
    other = VisitorState(last_seen_at=NOW, visits=Visits(total=3))

    assert merged(one, other).visits.total == 7


def test_both_keys_are_linked() -> None:
    one = VisitorState(last_seen_at=NOW, linked=("visitor:other",))

    assert merged(one, VisitorState(last_seen_at=NOW)).linked == ("user:ann", "visitor:ann", "visitor:other")


def test_the_same_showing_known_twice_is_one_showing() -> None:
    known = CampaignState(offers=3, last_offered_at=NOW, shown_at=(NOW - DAY, NOW))
    one = VisitorState(last_seen_at=NOW, campaigns={"hello": known})

    assert merged(one, replace(one)).campaigns["hello"] == known
