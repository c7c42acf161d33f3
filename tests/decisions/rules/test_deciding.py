"""Who wins, who comes along, and what the answer says."""

import msgspec
import pytest
from msgspec.structs import replace

from pulsekeeper.decisions.rules.book import open_book
from pulsekeeper.decisions.rules.campaigns import Release
from pulsekeeper.decisions.rules.deciding import Outcome
from pulsekeeper.decisions.rules.model import CampaignState, ReleaseStatus
from tests.support.rules import DAY, NOW, RELEASE, ask, book_of, call, campaign, seen, shown, verdicts, winners


def test_nothing_to_show_is_the_usual_answer() -> None:
    outcome = ask(book_of())
    assert outcome.decisions == ()
    assert outcome.verdicts == ()


def test_the_highest_priority_wins() -> None:
    outcome = ask(book_of(campaign("a", priority=1), campaign("b", priority=2), campaign("c", priority=-3)))
    assert winners(outcome) == ["b"]
    assert verdicts(outcome) == {"b": "first_visit", "a": "outranked", "c": "outranked"}


@pytest.mark.parametrize(
    "particular",
    [
        {"trigger": {"minVisits": 1}},
        {"trigger": {"when": "true"}},
        {"trigger": {"segment": {"roles": ["organizer"]}}},
        {"rollout": {"percent": 99.99}},
    ],
)
def test_of_equal_priority_the_one_with_more_conditions_wins(particular: dict[str, object]) -> None:
    """A rollout that leaves nobody out is no condition."""
    book = book_of(campaign("a", rollout={"percent": 100}), campaign("b", **particular))
    assert [entry.campaign.id for entry in book.entries] == ["b", "a"]


def test_each_list_of_a_segment_is_a_condition() -> None:
    book = book_of(
        campaign("a", trigger={"segment": {"roles": ["x", "y", "z"]}, "minVisits": 1}),
        campaign("b", trigger={"segment": {"roles": ["x"], "regions": ["US"], "deviceType": ["mobile"]}}),
    )
    assert [entry.campaign.id for entry in book.entries] == ["b", "a"]


def test_of_equals_the_first_id_wins() -> None:
    assert winners(ask(book_of(campaign("b"), campaign("a"), campaign("c")))) == ["a"]


def test_a_loser_is_due_again_next_time() -> None:
    book = book_of(campaign("a"), campaign("b"))
    first = ask(book)
    answered = replace(first.after, campaigns={"a": CampaignState(offers=1, last_offered_at=NOW, dismissed_at=NOW)})
    assert winners(ask(book, answered, now=NOW + DAY)) == ["b"]


def test_those_that_may_accompany_the_winner_come_along() -> None:
    outcome = ask(
        book_of(
            campaign("dialog", priority=3),
            campaign("other", priority=2),
            campaign("banner", priority=1, together=True),
        )
    )
    assert winners(outcome) == ["dialog", "banner"]
    assert verdicts(outcome) == {"dialog": "first_visit", "other": "outranked", "banner": "first_visit"}
    assert set(outcome.after.campaigns) == {"dialog", "banner"}


def test_one_that_accompanies_can_win_too_and_then_only_its_like_come_along() -> None:
    banner, hint = campaign("banner", priority=3, together=True), campaign("hint", together=True)
    assert winners(ask(book_of(banner, campaign("dialog", priority=2), hint))) == ["banner", "hint"]


def test_a_decision_carries_the_campaign_s_action_and_payload() -> None:
    payload = {"title": "Grüß Gott", "cta": {"url": "/releases", "label": "Go"}, "n": [1, 2.5, None, True]}
    (decision,) = ask(campaign(action="SHOW_BANNER", messagePayload=payload)).decisions
    assert (decision.action, decision.campaign_id) == ("SHOW_BANNER", "hello")
    assert msgspec.json.decode(decision.payload) == payload


def test_every_campaign_has_one_verdict_in_the_order_in_which_they_win() -> None:
    book = book_of(campaign("a"), campaign("b", active=False, priority=9), campaign("c", trigger={"minVisits": 3}))
    assert verdicts(ask(book)) == {"b": "inactive", "c": "too_few_visits", "a": "first_visit"}


def test_only_what_is_shown_is_offered() -> None:
    before = seen(campaigns={"old": shown(9 * DAY)})
    after = ask(book_of(campaign("a"), campaign("b")), before).after
    assert after.campaigns == {"old": shown(9 * DAY), "a": CampaignState(offers=1, last_offered_at=NOW)}


@pytest.mark.parametrize(
    ("known", "expected"), [("2025.9.30", False), ("2025.10.1", True), ("2025.10.2", True), (None, False)]
)
def test_the_latest_release_is_seen_once_it_or_a_newer_one_was_acknowledged(known: str | None, expected: bool) -> None:
    assert ask(book_of(), seen(release=known)).release_status == ReleaseStatus(
        latest_release_id="2025.10.1", already_seen=expected
    )


def test_a_new_person_has_seen_the_release_that_they_arrive_on() -> None:
    assert ask(book_of()).release_status.already_seen
    assert not ask(book_of(), request=call(releaseId="2025.9.30")).release_status.already_seen


def test_a_release_that_is_not_out_yet_is_not_the_latest() -> None:
    book = book_of(releases=[RELEASE, Release(id="2026.1.1", released_at=NOW + DAY)])
    assert ask(book, now=NOW).release_status.latest_release_id == "2025.10.1"
    assert ask(book, now=NOW + DAY).release_status.latest_release_id == "2026.1.1"


def test_without_any_release_there_is_no_latest_and_none_was_seen() -> None:
    assert ask(book_of(releases=())).release_status == ReleaseStatus(latest_release_id=None, already_seen=False)


def encoded(outcome: Outcome) -> bytes:
    members = msgspec.structs.asdict(outcome)
    return msgspec.json.encode({**members, "findings": [outcome.verdicts, msgspec.Raw(outcome.findings.reasons)]})


def test_a_logged_decision_can_be_worked_out_again_byte_for_byte() -> None:
    """State, request and rule book go through JSON and back, as they do in the log."""
    book = book_of(
        campaign("a", messagePayload={"z": 1, "a": {"y": 2, "b": 3}}, validTo="2026-01-01T00:00:00+02:00"),
        campaign("b", rollout={"percent": 33.3}, frequency={"caps": [{"cap": 1, "period": "P1D"}]}),
    )
    before, request = (
        seen(campaigns={"b": shown(3 * DAY)}),
        call(timezone="Europe/Vienna", attributes={"x": ["y"], "z": 1.5}),
    )
    again = ask(
        open_book(book.content),
        msgspec.json.decode(msgspec.json.encode(before), type=type(before)),
        msgspec.json.decode(msgspec.json.encode(request), type=type(request)),
    )
    assert encoded(again) == encoded(ask(book, before, request))
