"""The rules about when, at their edges: season, release, absence and visits."""

from datetime import timedelta

import pytest

from tests.support.rules import DAY, INSTANT, MINUTE, NOW, call, campaign, reason, seen


def test_a_campaign_without_conditions_is_shown() -> None:
    assert reason(campaign()) == "shown"


def test_one_that_is_switched_off_is_inactive_whatever_else_is_wrong() -> None:
    assert reason(campaign(active=False, validFrom="2999-01-01T00:00:00Z")) == "inactive"


def test_it_begins_at_valid_from() -> None:
    begins = campaign(validFrom=NOW.isoformat())
    assert reason(begins, now=NOW - INSTANT) == "not_yet"
    assert reason(begins, now=NOW) == "shown"


def test_at_valid_to_it_is_over() -> None:
    ends = campaign(validTo=NOW.isoformat())
    assert reason(ends, now=NOW - INSTANT) == "shown"
    assert reason(ends, now=NOW) == "over"


def test_a_season_may_be_written_in_any_offset() -> None:
    ends = campaign(validTo="2025-10-15T08:00:00-04:00")
    assert reason(ends, now=NOW - INSTANT) == "shown"
    assert reason(ends, now=NOW) == "over"


ANNOUNCEMENT = campaign(type="release", trigger={"releaseId": "2025.10.1"})


@pytest.mark.parametrize(
    ("running", "expected"),
    [
        ("2025.10.1", "shown"),
        ("v2025.10.1", "shown"),
        ("2025.10.2", "shown"),
        ("2025.9.30", "release_not_running"),
        ("2025.10", "release_not_running"),
    ],
)
def test_an_announcement_is_for_clients_that_run_it_or_something_later(running: str, expected: str) -> None:
    assert reason(ANNOUNCEMENT, seen(), call(releaseId=running)) == expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [("2025.9.30", "shown"), (None, "shown"), ("2025.10.1", "release_seen"), ("2025.10.2", "release_seen")],
)
def test_an_announcement_is_news_only_until_it_or_a_later_one_was_seen(known: str | None, expected: str) -> None:
    assert reason(ANNOUNCEMENT, seen(release=known)) == expected


def test_nobody_is_told_what_is_new_on_their_first_visit() -> None:
    assert reason(ANNOUNCEMENT, None) == "release_new_person"
    first_visit = seen(MINUTE, total=1, today=1)
    assert reason(ANNOUNCEMENT, first_visit) == "release_new_person"
    assert reason(ANNOUNCEMENT, seen(30 * MINUTE, total=1, today=1)) == "shown"


ABSENCE = campaign(trigger={"minDaysSinceLastSeen": 30, "maxDaysSinceLastSeen": 60})


@pytest.mark.parametrize(
    ("away", "expected"),
    [
        (timedelta(), "too_recent"),
        (30 * DAY, "too_recent"),
        (30 * DAY + INSTANT, "shown"),
        (60 * DAY, "shown"),
        (60 * DAY + INSTANT, "too_long_ago"),
    ],
)
def test_days_are_counted_to_the_instant(away: timedelta, expected: str) -> None:
    """Exactly thirty times 24 hours is not yet "older than 30 days"."""
    assert reason(ABSENCE, seen(away)) == expected


def test_who_was_never_here_has_not_been_away() -> None:
    assert reason(ABSENCE, None) == "too_recent"
    assert reason(campaign(trigger={"minDaysSinceLastSeen": 0}), None) == "too_recent"
    assert reason(campaign(trigger={"maxDaysSinceLastSeen": 7}), None) == "too_long_ago"


def test_a_client_that_answered_from_its_cache_was_seen_then() -> None:
    assert reason(ABSENCE, seen(40 * DAY), call(lastClientActionAt=NOW - DAY)) == "too_recent"
    assert reason(ABSENCE, seen(40 * DAY), call(lastClientActionAt=NOW - 31 * DAY)) == "shown"
    assert reason(ABSENCE, seen(40 * DAY), call(lastClientActionAt=NOW - 70 * DAY)) == "shown"


def test_a_client_with_a_wrong_clock_was_seen_now_at_the_latest() -> None:
    assert reason(ABSENCE, seen(40 * DAY), call(lastClientActionAt=NOW + 700 * DAY)) == "too_recent"


@pytest.mark.parametrize(
    ("total", "expected"), [(1, "too_few_visits"), (2, "shown"), (4, "shown"), (5, "too_many_visits")]
)
def test_visits_count_with_this_one(total: int, expected: str) -> None:
    """Someone who had made `total` visits before makes one more by this call."""
    assert reason(campaign(trigger={"minVisits": 3, "maxVisits": 5}), seen(total=total)) == expected


def test_a_second_call_of_a_visit_does_not_count_again() -> None:
    assert reason(campaign(trigger={"maxVisits": 5}), seen(29 * MINUTE, total=5)) == "shown"
    assert reason(campaign(trigger={"maxVisits": 5}), seen(30 * MINUTE, total=5)) == "too_many_visits"


def test_a_new_person_is_on_the_first_visit() -> None:
    assert reason(campaign(trigger={"maxVisits": 1})) == "shown"
    assert reason(campaign(trigger={"minVisits": 2})) == "too_few_visits"


def test_visits_of_one_day_count_with_this_one() -> None:
    daily = campaign(trigger={"maxVisitsToday": 3})
    assert reason(daily, seen(60 * MINUTE, today=2)) == "shown"
    assert reason(daily, seen(60 * MINUTE, today=3)) == "too_many_today"
