"""Which events are meant."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from pulsekeeper import errors, validation
from pulsekeeper.sessions.archive.periods import ExportQuery, Period, day, days_from, last_day_over, period_of

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)
DAY = timedelta(days=1)


def asked(**fields: str) -> Period:
    query = {name.rstrip("_"): value for name, value in fields.items()}
    return period_of(validation.convert(query, ExportQuery, unknown="refuse"), NOW)


def test_without_a_word_it_is_yesterday() -> None:
    assert asked() == Period(MIDNIGHT - DAY, MIDNIGHT)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"from_": "2026-11-20"}, Period(MIDNIGHT - 2 * DAY, NOW)),
        ({"to": "2026-11-20"}, Period(MIDNIGHT - 3 * DAY, MIDNIGHT - 2 * DAY)),
        ({"from_": "2026-11-20", "to": "2026-11-22"}, Period(MIDNIGHT - 2 * DAY, MIDNIGHT)),
        ({"from_": "2026-11-22T00:00:00Z", "to": "2026-11-22T02:00:00+01:00"}, Period(MIDNIGHT, MIDNIGHT + DAY / 24)),
        ({"from_": "2026-11-22T10:00"}, Period(MIDNIGHT + 10 * DAY / 24, NOW)),
        ({"from_": "2026-11-22", "to": "2026-12-24"}, Period(MIDNIGHT, MIDNIGHT + 32 * DAY)),
    ],
    ids=["from alone", "to alone", "dates", "moments", "without a zone", "the future"],
)
def test_dates_and_moments_are_taken_in_utc(fields: dict[str, str], expected: Period) -> None:
    assert asked(**fields) == expected


@pytest.mark.parametrize(
    ("fields", "pointer", "words"),
    [
        ({"from_": "yesterday"}, "/from", "expected a date such as"),
        ({"from_": "0001-01-01T00:00:00+05:00"}, "/from", "expected a date such as"),
        ({"to": "9999-12-31"}, "/to", "expected a date such as"),
        ({"from_": "2026-11-22", "to": "2026-11-22"}, "/from", "a moment before 2026-11-22T00:00:00Z"),
        ({"from_": "2026-11-23"}, "/from", "a moment before 2026-11-22T10:30:00Z"),
        ({"from_": "2025-10-17", "to": "2026-11-22"}, "/from", "at most 400 days"),
        ({"format": "xlsx"}, "/format", "ndjson"),
        ({"since": "2026-11-22"}, "/since", "unknown key"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields: dict[str, str], pointer: str, words: str) -> None:
    with pytest.raises(errors.Invalid, match=words) as refused:
        asked(**fields)
    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_four_hundred_days_are_not_too_many() -> None:
    assert asked(from_="2025-10-18", to="2026-11-22") == Period(MIDNIGHT - 400 * DAY, MIDNIGHT)


def test_a_day_is_over_some_minutes_after_its_midnight() -> None:
    """What was received just before may still be on its way to a commit."""
    assert last_day_over(MIDNIGHT + timedelta(minutes=9, seconds=59)) == date(2026, 11, 20)
    assert last_day_over(MIDNIGHT + timedelta(minutes=10)) == date(2026, 11, 21)


def test_days_follow_each_other() -> None:
    assert days_from(date(2026, 2, 27), date(2026, 3, 1)) == [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1)]
    assert days_from(date(2026, 3, 1), date(2026, 3, 1)) == [date(2026, 3, 1)]
    assert days_from(date(2026, 3, 2), date(2026, 3, 1)) == []
    assert day(date(2026, 11, 21)) == Period(MIDNIGHT - DAY, MIDNIGHT)


def test_a_query_is_one_of_strings_only() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"from": 7}, ExportQuery, dec_hook=validation.decode_hook)
