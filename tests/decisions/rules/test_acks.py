from datetime import timedelta
from typing import Any

import pytest

from pulsekeeper.decisions.rules.acks import AckRequest, Outcome, acknowledge
from pulsekeeper.decisions.rules.book import compile_book
from pulsekeeper.decisions.rules.model import CampaignState, VisitorState
from tests.support.decisions import NOW, campaign, settings

OFFERED_AT = NOW - timedelta(minutes=2)
OFFERED = CampaignState(offers=1, last_offered_at=OFFERED_AT)
NEWS = campaign("news", type="release", trigger={"releaseId": "2.0"})
HELLO = campaign("hello")


def state(offered: CampaignState = OFFERED, of: str = "hello", **members: Any) -> VisitorState:
    return VisitorState(last_seen_at=OFFERED_AT, campaigns={of: offered}, version=3, **members)


def acked(before: VisitorState | None, outcome: Outcome, of: str = "hello", **report: Any) -> VisitorState | None:
    book = compile_book([NEWS, HELLO], [], settings().policy())
    return acknowledge(book, before, AckRequest(campaign_id=of, outcome=outcome, **report), NOW)


def after(before: VisitorState, outcome: Outcome, of: str = "hello", **report: Any) -> VisitorState:
    state = acked(before, outcome, of, **report)
    assert state is not None
    return state


@pytest.mark.parametrize("outcome", ["shown", "dismissed", "completed"])
def test_whatever_is_reported_first_makes_the_offer_a_showing(outcome: Outcome) -> None:
    assert after(state(), outcome).campaigns["hello"].shown_at == (NOW,)


def test_one_offer_is_one_showing_however_much_is_reported_of_it() -> None:
    reported = after(after(after(state(), "shown"), "dismissed"), "completed")

    assert reported.campaigns["hello"] == CampaignState(
        offers=1, last_offered_at=OFFERED_AT, shown_at=(NOW,), acknowledged_at=NOW, dismissed_at=NOW
    )


def test_a_report_is_one_version_and_a_repeated_one_is_nothing() -> None:
    once = after(state(), "dismissed")

    assert once.version == 4
    assert after(once, "dismissed") is once


def test_the_first_answer_keeps_its_date() -> None:
    long_ago = OFFERED_AT - timedelta(days=3)
    dismissed = CampaignState(offers=2, last_offered_at=OFFERED_AT, shown_at=(long_ago,), dismissed_at=long_ago)

    assert after(state(dismissed), "dismissed").campaigns["hello"].dismissed_at == long_ago


def test_the_next_offer_is_another_showing() -> None:
    shown_before = CampaignState(offers=2, last_offered_at=OFFERED_AT, shown_at=(OFFERED_AT - timedelta(days=1),))

    assert len(after(state(shown_before), "shown").campaigns["hello"].shown_at) == 2


@pytest.mark.parametrize("before", [None, VisitorState(last_seen_at=NOW), state(CampaignState()), state(of="other")])
def test_what_was_never_offered_cannot_be_reported(before: VisitorState | None) -> None:
    assert acked(before, "shown") is None


def test_a_report_counts_although_the_campaign_is_gone() -> None:
    assert after(state(of="gone"), "dismissed", "gone").campaigns["gone"].dismissed_at == NOW


def test_a_lapsed_offer_can_still_be_answered() -> None:
    lapsed = CampaignState(offers=1, last_offered_at=NOW - timedelta(days=2))

    assert after(state(lapsed), "shown").campaigns["hello"].shown_at == (NOW,)


@pytest.mark.parametrize("outcome", ["dismissed", "completed"])
def test_dealing_with_a_release_makes_it_seen(outcome: Outcome) -> None:
    assert after(state(of="news", last_release_seen="1.0"), outcome, "news").last_release_seen == "2.0"


def test_a_release_that_is_only_on_the_screen_is_not_seen_yet() -> None:
    assert after(state(of="news", last_release_seen="1.0"), "shown", "news").last_release_seen == "1.0"


def test_an_older_release_never_moves_the_state_back() -> None:
    assert after(state(of="news", last_release_seen="3.0"), "dismissed", "news").last_release_seen == "3.0"


def test_other_campaigns_say_nothing_about_releases() -> None:
    assert after(state(last_release_seen="1.0"), "completed", release_id="2.0").last_release_seen == "1.0"


def test_a_report_is_no_visit() -> None:
    assert after(state(), "shown").last_seen_at == OFFERED_AT
