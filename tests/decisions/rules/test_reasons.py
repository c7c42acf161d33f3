"""What the site is told about why something is shown."""

import pytest
from msgspec.structs import replace

from pulsekeeper.decisions.rules.model import VisitorState
from tests.support.rules import DAY, INSTANT, REQUEST, ask, book_of, call, campaign, seen

ANNOUNCEMENT = campaign(type="release", trigger={"releaseId": "2025.10.1"})


def test_a_release_that_came_out_since_the_last_visit() -> None:
    (decision,) = ask(ANNOUNCEMENT, seen(5 * DAY + INSTANT)).decisions
    assert decision.reason == ("first_visit_since_release",)


def test_a_release_that_was_out_already_but_never_answered() -> None:
    (decision,) = ask(ANNOUNCEMENT, seen(5 * DAY)).decisions
    assert decision.reason == ("release_unseen",)


@pytest.mark.parametrize(
    ("visited", "expected"),
    [("2025.9.30", "first_visit_since_release"), (None, "first_visit_since_release"), ("2025.10.1", "release_unseen")],
)
def test_without_a_date_it_is_what_the_person_ran_before(visited: str | None, expected: str) -> None:
    before = replace(seen(), last_release_visited=visited)
    (decision,) = ask(book_of(ANNOUNCEMENT, releases=()), before).decisions
    assert decision.reason == (expected,)


@pytest.mark.parametrize(
    ("members", "before", "expected"),
    [
        ({"trigger": {"minDaysSinceLastSeen": 30}}, seen(40 * DAY), ("returning_after_30_days",)),
        ({"trigger": {"maxDaysSinceLastSeen": 30}}, seen(), ("matched",)),
        ({"trigger": {"featureFlags": ["beta"]}}, None, ("feature_rollout",)),
        ({"rollout": {"percent": 100}}, seen(), ("feature_rollout",)),
        ({}, None, ("first_visit",)),
        ({}, seen(), ("matched",)),
        (
            {"trigger": {"minDaysSinceLastSeen": 7, "releaseId": "2025.10.1", "featureFlags": ["beta"]}},
            seen(40 * DAY),
            ("first_visit_since_release", "returning_after_7_days", "feature_rollout"),
        ),
    ],
)
def test_the_conditions_that_were_met(
    members: dict[str, object], before: VisitorState | None, expected: tuple[str, ...]
) -> None:
    (decision,) = ask(campaign("hello", **members), before, call(featureFlags=["beta"])).decisions
    assert decision.reason == expected


def test_the_verdict_of_what_is_shown_has_the_first_reason() -> None:
    (verdict,) = ask(ANNOUNCEMENT, seen(6 * DAY), REQUEST).verdicts
    assert (verdict.verdict, verdict.reason) == ("shown", "first_visit_since_release")
