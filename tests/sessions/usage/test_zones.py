"""Days of zones that are unlike others, each with the moments that a calendar of the place would give."""

from datetime import UTC, date, datetime, timedelta

import pytest

from pulsekeeper.errors import Invalid
from pulsekeeper.sessions.usage.calendar import MOST_DAYS, Buckets, MetricsQuery, buckets_of
from tests.support.sessions_histories import utc

NOW = utc("2026-11-22 12:00")


def days(first: str, last: str, timezone: str = "UTC", **more: str) -> Buckets:
    query = MetricsQuery(from_=date.fromisoformat(first), to=date.fromisoformat(last), timezone=timezone, **more)  # type: ignore[arg-type]  # `bucket` is one of two words
    return buckets_of(query, NOW)


@pytest.mark.parametrize(
    ("zone", "day", "begins", "hours"),
    [
        ("Asia/Kathmandu", "2026-11-21", "2026-11-20 18:15", 24),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04 13:00", 24.5),  # from +11 to +10:30, at two
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-03 13:30", 23.5),
        ("Africa/Cairo", "2024-04-26", "2024-04-25 22:00", 23),  # midnight is skipped
        ("Africa/Cairo", "2024-10-31", "2024-10-30 21:00", 25),  # its last hour comes twice, up to midnight
        ("Africa/Cairo", "2024-11-01", "2024-10-31 22:00", 24),
        ("Asia/Beirut", "2026-03-29", "2026-03-28 22:00", 23),
        ("Asia/Beirut", "2026-10-24", "2026-10-23 21:00", 25),
        ("America/Havana", "2026-11-01", "2026-11-01 04:00", 25),  # its first hour comes twice, with midnight
        ("America/Santiago", "2026-09-06", "2026-09-06 04:00", 23),
        ("Pacific/Apia", "2011-12-29", "2011-12-29 10:00", 24),
        ("Pacific/Apia", "2011-12-30", "2011-12-30 10:00", 0),  # there was no such day
        ("Pacific/Apia", "2011-12-31", "2011-12-30 10:00", 24),
    ],
)
def test_a_day_begins_and_ends_when_it_does_there(zone: str, day: str, begins: str, hours: float) -> None:
    found = days(day, day, zone)

    assert (found.start, found.end - found.start) == (utc(begins), timedelta(hours=hours))


def test_a_week_may_be_the_fifty_third() -> None:
    found = days("2021-01-01", "2021-01-04", bucket="week")

    assert [start.isocalendar()[:2] for start in found.starts] == [(2020, 53), (2021, 1)]


def test_one_day_is_a_range_and_four_hundred_are_and_no_day_more_is() -> None:
    assert days("2026-11-22", "2026-11-22").count == 1
    assert days("2025-10-19", "2026-11-22").count == MOST_DAYS == 400
    with pytest.raises(Invalid, match="401"):
        days("2025-10-18", "2026-11-22")


def test_four_hundred_days_may_need_fifty_eight_weeks() -> None:
    found = days("2025-10-19", "2026-11-22", bucket="week")

    assert (found.count, found.first, found.last) == (58, date(2025, 10, 13), date(2026, 11, 22))


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "Europe/Berlin\0", "Europe/Berlin\n", "europe/berlin", "", "/etc/localtime", "UTC+1", "CEST"],
)
def test_a_name_that_is_no_zone_is_refused_and_never_a_path(name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        days("2026-11-22", "2026-11-22", name)

    assert [fault.pointer for fault in refusal.value.faults] == ["/timezone"]


@pytest.mark.parametrize(
    ("now", "present"),
    [
        ("2026-11-20 23:59", None),
        ("2026-11-21 00:00", 0),
        ("2026-11-22 23:59", 1),
        ("2026-11-23 00:00", None),
    ],
)
def test_the_present_is_in_one_of_the_days_or_in_none(now: str, present: int | None) -> None:
    assert days("2026-11-21", "2026-11-22").present(utc(now)) == present


def test_a_day_that_was_left_out_is_never_the_present() -> None:
    found = days("2011-12-29", "2011-12-31", "Pacific/Apia")

    assert found.present(datetime(2011, 12, 30, 10, tzinfo=UTC)) == 2
