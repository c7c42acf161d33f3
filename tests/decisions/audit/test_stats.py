from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.decisions.audit.stats import MOST_DAYS, Days, Impressions, ImpressionsQuery, days_of, reply_of
from pulsekeeper.errors import Invalid
from pulsekeeper.validation import convert
from pulsekeeper.zones import known_zones

NOW = datetime(2025, 10, 27, 23, 30, tzinfo=UTC)


def query(**members: Any) -> ImpressionsQuery:
    """As a query string has it."""
    return convert({"campaignId": "hello", **members}, ImpressionsQuery, unknown="refuse")


def days(**members: Any) -> Days:
    return days_of(query(**members), NOW)


def test_without_dates_it_is_the_last_thirty_days_of_the_zone() -> None:
    assert (days().days[0], days().days[-1], len(days().days)) == (date(2025, 9, 28), date(2025, 10, 27), 30)
    assert days(timezone="Asia/Tokyo").days[-1] == date(2025, 10, 28)


def test_both_ends_are_counted() -> None:
    found = days(**{"from": "2025-10-01", "to": "2025-10-02"})

    assert found.days == (date(2025, 10, 1), date(2025, 10, 2))
    assert (found.starts[0], found.end) == (datetime(2025, 10, 1, tzinfo=UTC), datetime(2025, 10, 3, tzinfo=UTC))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Paris", "2025-10-26", 25),
        ("Europe/Paris", "2025-03-30", 23),
        ("America/Santiago", "2025-09-07", 23),  # where midnight is skipped
        ("Australia/Lord_Howe", "2025-10-05", 23.5),
        ("Asia/Kathmandu", "2025-10-26", 24),
    ],
)
def test_a_day_on_which_the_clocks_change_is_as_long_as_it_is(zone: str, day: str, hours: float) -> None:
    found = days(**{"from": day, "to": day, "timezone": zone})

    assert found.end - found.starts[0] == timedelta(hours=hours)


@given(zone=st.sampled_from(sorted(known_zones())), first=st.dates(date(1975, 1, 1), date(2060, 1, 1)))
def test_days_follow_each_other_and_begin_on_their_own_date(zone: str, first: date) -> None:
    found = days(**{"from": first.isoformat(), "to": (first + timedelta(days=3)).isoformat(), "timezone": zone})

    edges = [*found.starts, found.end]
    assert all(one <= other for one, other in pairwise(edges))
    for day, start, end in zip(found.days, found.starts, edges[1:], strict=True):
        if start < end:  # a zone that crosses the date line leaves a day out
            assert start.astimezone(ZoneInfo(zone)).date() == day


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"timezone": "Mars/Olympus"}, "/timezone"),
        ({"from": "2025-10-02", "to": "2025-10-01"}, "/from"),
        ({"from": "2024-01-01", "to": "2025-10-01"}, "/from"),
        ({"from": "0001-01-01"}, "/from"),
        ({"to": "9999-12-31"}, "/from"),
        ({"from": "yesterday"}, "/from"),
        ({"bucket": "week"}, "/bucket"),
        ({"campaignId": "a/b"}, "/campaignId"),
        ({"untill": "2025-10-01"}, "/untill"),
    ],
)
def test_what_cannot_be_counted_is_refused_with_its_place(members: dict[str, str], pointer: str) -> None:
    with pytest.raises(Invalid) as refusal:
        days(**members)

    assert [fault.pointer for fault in refusal.value.faults] == [pointer]


def test_as_many_days_as_are_allowed_are_allowed() -> None:
    first = date(2025, 10, 1) - timedelta(days=MOST_DAYS - 1)

    assert len(days(**{"from": first.isoformat(), "to": "2025-10-01"}).days) == MOST_DAYS


def test_days_on_which_nothing_happened_are_there_as_well() -> None:
    asked = query(**{"from": "2025-10-01", "to": "2025-10-03"})
    counted = {2: Impressions(offered=3, people=2), None: Impressions(offered=3, people=2)}

    reply = reply_of(asked, days_of(asked, NOW), counted)

    assert [(day.day.day, day.offered, day.people) for day in reply.days] == [(1, 0, 0), (2, 3, 2), (3, 0, 0)]
    assert reply.total == Impressions(offered=3, people=2)
