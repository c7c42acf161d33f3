from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.errors import Invalid
from pulsekeeper.sessions.usage.calendar import MOST_DAYS, Buckets, MetricsQuery, buckets_of
from pulsekeeper.validation import convert
from pulsekeeper.zones import known_zones

NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)


def buckets(**members: Any) -> Buckets:
    """As a query string has it."""
    return buckets_of(convert(members, MetricsQuery, unknown="refuse"), NOW)


def test_without_dates_it_is_the_last_thirty_days_of_the_zone() -> None:
    assert (buckets().first, buckets().last, buckets().count) == (date(2026, 10, 24), date(2026, 11, 22), 30)
    assert buckets(timezone="Asia/Tokyo").last == date(2026, 11, 23)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-10-25", 25),
        ("Europe/Berlin", "2026-03-29", 23),
        ("America/New_York", "2026-03-08", 23),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("Asia/Kathmandu", "2026-10-25", 24),
        ("America/Santiago", "2026-09-06", 23),  # where midnight is skipped
    ],
)
def test_a_day_on_which_the_clocks_change_is_as_long_as_it_is(zone: str, day: str, hours: float) -> None:
    found = buckets(**{"from": day, "to": day, "timezone": zone})

    assert found.end - found.start == timedelta(hours=hours)


def test_weeks_are_isos_and_whole() -> None:
    found = buckets(**{"from": "2026-11-01", "to": "2026-11-10", "bucket": "week"})

    assert [str(start) for start in found.starts] == ["2026-10-26", "2026-11-02", "2026-11-09"]
    assert (str(found.first), str(found.last), found.end) == (
        "2026-10-26",
        "2026-11-15",
        datetime(2026, 11, 16, tzinfo=UTC),
    )


def test_a_bucket_is_over_when_the_next_one_begins() -> None:
    found = buckets(**{"from": "2026-11-21", "to": "2026-11-24"})

    assert (found.over(NOW), found.begun(NOW)) == (1, 2)
    assert (found.over(found.edges[2]), found.begun(found.edges[2])) == (2, 3)


@given(zone=st.sampled_from(sorted(known_zones())), first=st.dates(date(1975, 1, 1), date(2060, 1, 1)))
def test_days_follow_each_other_and_begin_on_their_own_date_at_a_quarter(zone: str, first: date) -> None:
    found = buckets(**{"from": first.isoformat(), "to": (first + timedelta(days=3)).isoformat(), "timezone": zone})

    assert all(one <= other for one, other in pairwise(found.edges))
    for day, (start, end) in zip(found.starts, pairwise(found.edges), strict=True):
        assert start.timestamp() % 900 == 0
        if start < end:  # a zone that crosses the date line leaves a day out
            assert start.astimezone(ZoneInfo(zone)).date() == day


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"timezone": "Mars/Olympus"}, "/timezone"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "/from"),
        ({"from": "2024-01-01", "to": "2026-11-01"}, "/from"),
        ({"from": "0001-01-01"}, "/from"),
        ({"to": "0001-01-01"}, "/to"),
        ({"to": "9999-12-31"}, "/to"),
        ({"from": "yesterday"}, "/from"),
        ({"bucket": "month"}, "/bucket"),
        ({"untill": "2026-11-01"}, "/untill"),
    ],
)
def test_what_cannot_be_counted_is_refused_with_its_place(members: dict[str, str], pointer: str) -> None:
    with pytest.raises(Invalid) as refusal:
        buckets(**members)

    assert [fault.pointer for fault in refusal.value.faults] == [pointer]


def test_an_unknown_zone_is_named() -> None:
    with pytest.raises(Invalid, match="Mars/Olympus"):
        buckets(timezone="Mars/Olympus")


def test_as_many_days_as_are_allowed_are_allowed() -> None:
    first = date(2026, 11, 1) - timedelta(days=MOST_DAYS - 1)

    assert buckets(**{"from": first.isoformat(), "to": "2026-11-01"}).count == MOST_DAYS
