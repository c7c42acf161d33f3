"""What is reserved, what counts towards a cap, and what keeps everything else back."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from pulsekeeper.decisions.rules.model import CampaignState, VisitorState
from pulsekeeper.decisions.rules.offers import MOST_KEPT, kept
from tests.support.rules import (
    DAY,
    INSTANT,
    MINUTE,
    NOW,
    ask,
    book_of,
    call,
    campaign,
    offered,
    reason,
    seen,
    shown,
    verdicts,
    winners,
)

NEW_YORK = call(timezone="America/New_York")


def confirmed(*moments: str) -> VisitorState:
    """Somebody whose showings of the campaign were confirmed at these moments."""
    at = tuple(datetime.fromisoformat(moment) for moment in moments)
    return seen(campaigns={"hello": CampaignState(offers=len(at), last_offered_at=at[-1], shown_at=at)})


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_showing_something_makes_an_offer_and_no_showing() -> None:
    state = ask(campaign()).after.campaigns["hello"]
    assert state == CampaignState(offers=1, last_offered_at=NOW)


def test_two_tabs_that_ask_at_once_get_one_dialog() -> None:
    first = ask(campaign())
    second = ask(campaign(), first.after)
    assert winners(first) == ["hello"]
    assert winners(second) == []
    assert verdicts(second) == {"hello": "frequency"}


def test_while_something_is_on_offer_nothing_else_is() -> None:
    book = book_of(campaign("one", priority=2), campaign("two", priority=1))
    first = ask(book)
    second = ask(book, first.after)
    assert verdicts(first) == {"one": "first_visit", "two": "outranked"}
    assert verdicts(second) == {"one": "frequency", "two": "cooldown"}


def test_an_exempt_campaign_is_not_kept_back_by_an_offer_and_keeps_nothing_back() -> None:
    book = book_of(campaign("one", priority=2), campaign("free", priority=1, exempt={"cooldown": True}))
    assert winners(ask(book, seen(campaigns={"one": offered(MINUTE)}))) == ["free"]
    assert winners(ask(book, seen(campaigns={"free": offered(MINUTE)}))) == ["one"]
    assert winners(ask(book, seen(campaigns={"free": shown(MINUTE)}))) == ["one"]


def test_a_reservation_lapses_after_half_an_hour() -> None:
    assert reason(campaign(), seen(campaigns={"hello": offered(30 * MINUTE - INSTANT)})) == "frequency"
    assert reason(campaign(), seen(campaigns={"hello": offered(30 * MINUTE)})) == "shown"


def test_a_lapsed_offer_is_made_again_until_there_were_enough() -> None:
    before, made = None, 0
    for half_hour in range(6):
        outcome = ask(campaign(), before, now=NOW + half_hour * 30 * MINUTE)
        made += len(outcome.decisions)
        before = outcome.after
    assert made == 3
    assert before is not None
    assert before.campaigns["hello"].offers == 3


@pytest.mark.parametrize(
    "state",
    [
        CampaignState(offers=1, last_offered_at=NOW - MINUTE, shown_at=(NOW - MINUTE,)),
        CampaignState(offers=1, last_offered_at=NOW - MINUTE, dismissed_at=NOW),
        CampaignState(offers=1, last_offered_at=NOW - MINUTE, acknowledged_at=NOW),
    ],
)
def test_an_answer_closes_the_offer(state: CampaignState) -> None:
    again = campaign(frequency={"untilAcknowledged": False}, exempt={"cooldown": True})
    assert reason(again, seen(campaigns={"hello": state})) == "shown"


def test_an_answer_to_an_earlier_offer_does_not_close_a_later_one() -> None:
    state = CampaignState(offers=2, last_offered_at=NOW - MINUTE, shown_at=(NOW - DAY,))
    assert reason(campaign(), seen(campaigns={"hello": state})) == "frequency"


def test_a_lifetime_counts_showings_for_ever() -> None:
    twice = campaign(frequency={"lifetime": 2})
    assert reason(twice, seen(campaigns={"hello": shown(900 * DAY)})) == "shown"
    assert reason(twice, seen(campaigns={"hello": shown(900 * DAY, 800 * DAY)})) == "frequency"


def test_a_rolling_cap_is_free_when_the_oldest_showing_is_one_period_old() -> None:
    daily = campaign(frequency={"caps": [{"cap": 2, "period": "P1D"}]}, exempt={"cooldown": True})
    assert reason(daily, seen(campaigns={"hello": shown(DAY - INSTANT, MINUTE)})) == "frequency"
    assert reason(daily, seen(campaigns={"hello": shown(DAY, MINUTE)})) == "shown"


def test_showings_need_not_be_in_order() -> None:
    state = replace(shown(3 * DAY, MINUTE, 2 * DAY), shown_at=(NOW - 3 * DAY, NOW - MINUTE, NOW - 2 * DAY))
    capped = campaign(frequency={"caps": [{"cap": 2, "period": "P1D"}]}, exempt={"cooldown": True})
    assert reason(capped, seen(campaigns={"hello": state})) == "shown"
    assert reason(campaign(), seen(campaigns={"hello": state})) == "cooldown"


ONCE_A_DAY = campaign(frequency={"caps": [{"cap": 1, "period": "P1D", "clock": "calendar"}]}, exempt={"cooldown": True})


@pytest.mark.parametrize(
    ("showing", "now", "expected"),
    [
        ("2025-10-15T03:59:00+00:00", "2025-10-15T04:01:00+00:00", "shown"),
        ("2025-10-15T04:00:00+00:00", "2025-10-16T03:59:00+00:00", "frequency"),
        # The day on which the clocks go forward has 23 hours, the one on which they go back 25.
        ("2025-03-09T05:30:00+00:00", "2025-03-10T03:59:00+00:00", "frequency"),
        ("2025-03-09T05:30:00+00:00", "2025-03-10T04:00:00+00:00", "shown"),
        ("2025-11-02T04:30:00+00:00", "2025-11-03T04:59:00+00:00", "frequency"),
        ("2025-11-02T04:30:00+00:00", "2025-11-03T05:00:00+00:00", "shown"),
    ],
)
def test_a_calendar_cap_counts_in_the_person_s_day(showing: str, now: str, expected: str) -> None:
    assert reason(ONCE_A_DAY, confirmed(showing), NEW_YORK, now=moment(now)) == expected


@pytest.mark.parametrize(
    ("period", "showing", "now", "expected"),
    [
        ("P1W", "2025-10-13T00:00:00+00:00", "2025-10-19T23:00:00+00:00", "frequency"),
        ("P7D", "2025-10-19T23:00:00+00:00", "2025-10-20T00:00:00+00:00", "shown"),
        ("P1M", "2025-10-01T00:00:00+00:00", "2025-10-31T23:00:00+00:00", "frequency"),
        ("P1M", "2025-10-31T23:00:00+00:00", "2025-11-01T00:00:00+00:00", "shown"),
    ],
)
def test_weeks_begin_on_monday_and_months_on_the_first(period: str, showing: str, now: str, expected: str) -> None:
    capped = campaign(
        frequency={"caps": [{"cap": 1, "period": period, "clock": "calendar"}]}, exempt={"cooldown": True}
    )
    assert reason(capped, confirmed(showing), now=moment(now)) == expected


def test_every_cap_must_be_free() -> None:
    capped = campaign(frequency={"caps": [{"cap": 3, "period": "P1D"}, {"cap": 3, "period": "P30D"}]})
    assert reason(capped, seen(campaigns={"hello": shown(9 * DAY, 8 * DAY)})) == "shown"
    assert reason(capped, seen(campaigns={"hello": shown(9 * DAY, 8 * DAY, 7 * DAY)})) == "frequency"


def test_a_campaign_that_is_gone_still_cools_down() -> None:
    assert reason(campaign(), seen(campaigns={"deleted": shown(MINUTE)})) == "cooldown"


def test_what_the_caps_cannot_ask_for_is_forgotten_together_with_its_offers() -> None:
    ages = [timedelta(days=days) for days in range(100, 60, -1)]
    before = seen(campaigns={"hello": shown(*ages, offers=41)})
    after = ask(campaign(frequency={"lifetime": 1000, "offers": 2}), before).after.campaigns["hello"]
    assert len(after.shown_at) == 40
    after = ask(campaign(frequency={"offers": 2}), before).after.campaigns["hello"]
    assert after.shown_at == before.campaigns["hello"].shown_at[-20:]
    assert after.offers - len(after.shown_at) == 2


def test_campaigns_that_are_gone_are_remembered_up_to_a_bound() -> None:
    old = {f"gone-{number}": offered(number * DAY) for number in range(1, MOST_KEPT + 11)}
    before = seen(campaigns=old | {"never-offered": CampaignState()})
    after = ask(campaign(), before).after.campaigns
    assert len(after) == MOST_KEPT + 1
    assert "hello" in after
    assert "gone-1" in after
    assert f"gone-{MOST_KEPT + 1}" not in after
    assert "never-offered" not in after


def test_campaigns_of_the_book_are_never_forgotten() -> None:
    states = {f"c-{number}": CampaignState() for number in range(MOST_KEPT + 50)}
    assert kept(states, set(states)) == states
