"""Days, weeks and months of people all over the world."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.decisions.rules import calendar
from pulsekeeper.decisions.rules.calendar import PERIODS, Period, bounds, iso_week, local_day, local_day_in, zone_of

NEW_YORK = ZoneInfo("America/New_York")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_named_zone_wins_over_the_offset() -> None:
    assert zone_of("America/New_York", -240) == NEW_YORK
    assert zone_of("America/New_York", 0) == NEW_YORK


def test_an_offset_is_positive_west_as_in_javascript() -> None:
    assert zone_of(None, 240).utcoffset(None) == timedelta(hours=-4)
    assert zone_of(None, -330).utcoffset(None) == timedelta(hours=5, minutes=30)


def test_an_offset_of_zero_is_a_value() -> None:
    assert zone_of(None, 0).utcoffset(None) == timedelta()


def test_without_zone_and_offset_it_is_utc() -> None:
    assert zone_of(None, None) is UTC


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Nowhere/Land",
        "america/new_york",
        "America",
        "../../etc/passwd",
        "/etc/passwd",
        "America/../America/New_York",
        "America/New_York\x00",
        "America/New_York\n",
        "tzdata.zoneinfo",
        "x" * 10_000,
        "Zürich",
        "\ud800",
    ],
)
def test_what_is_no_zone_counts_as_none(name: str) -> None:
    assert zone_of(name, None) is UTC
    assert zone_of(name, 60).utcoffset(None) == timedelta(hours=-1)


def test_every_zone_there_is_can_be_used() -> None:
    for name in available_timezones():
        assert zone_of(name, None) == ZoneInfo(name)


def test_the_day_is_the_one_on_the_wall() -> None:
    assert local_day(utc("2025-10-16T03:59:59"), NEW_YORK) == date(2025, 10, 15)
    assert local_day(utc("2025-10-16T04:00:00"), NEW_YORK) == date(2025, 10, 16)


def test_the_ends_of_the_calendar_have_days_too() -> None:
    assert local_day(datetime.min.replace(tzinfo=UTC), NEW_YORK) == date.min
    assert local_day(datetime.max.replace(tzinfo=UTC), ZoneInfo("Asia/Tokyo")) == date.max


@pytest.mark.parametrize(
    ("day", "week"),
    [("2025-10-15", "2025-W42"), ("2024-12-30", "2025-W01"), ("2027-01-03", "2026-W53"), ("0999-06-01", "0999-W22")],
)
def test_a_week_has_the_year_that_iso_gives_it(day: str, week: str) -> None:
    assert iso_week(date.fromisoformat(day)) == week


@pytest.mark.parametrize(
    ("zone", "now", "start", "end", "hours"),
    [
        ("America/New_York", "2025-10-15T12:00:00", "2025-10-15T04:00:00", "2025-10-16T04:00:00", 24),
        ("America/New_York", "2025-03-09T12:00:00", "2025-03-09T05:00:00", "2025-03-10T04:00:00", 23),
        ("America/New_York", "2025-11-02T12:00:00", "2025-11-02T04:00:00", "2025-11-03T05:00:00", 25),
        ("Australia/Lord_Howe", "2025-04-06T00:00:00", "2025-04-05T13:00:00", "2025-04-06T13:30:00", 24.5),
        # Clocks that skip midnight: the day begins when they do.
        ("Africa/Cairo", "2025-04-25T12:00:00", "2025-04-24T22:00:00", "2025-04-25T21:00:00", 23),
        # Clocks that repeat the hour after midnight: the day begins the first time.
        ("America/Havana", "2025-11-02T12:00:00", "2025-11-02T04:00:00", "2025-11-03T05:00:00", 25),
        # A day that never was: the day before it ends where the one after it begins.
        ("Pacific/Apia", "2011-12-30T00:00:00", "2011-12-29T10:00:00", "2011-12-30T10:00:00", 24),
    ],
)
def test_a_day_ends_at_midnight_whatever_the_clocks_do(zone: str, now: str, start: str, end: str, hours: float) -> None:
    day = bounds(utc(now), ZoneInfo(zone), "day")
    assert day == (utc(start), utc(end))
    assert day.end - day.start == timedelta(hours=hours)


def test_a_week_begins_on_monday() -> None:
    assert bounds(utc("2025-10-19T12:00:00"), UTC, "week") == (utc("2025-10-13"), utc("2025-10-20"))
    assert bounds(utc("2025-10-20T00:00:00"), UTC, "week").start == utc("2025-10-20")


def test_a_month_begins_on_its_first_day() -> None:
    assert bounds(utc("2024-02-29T12:00:00"), UTC, "month") == (utc("2024-02-01"), utc("2024-03-01"))
    assert bounds(utc("2025-12-31T12:00:00"), UTC, "month") == (utc("2025-12-01"), utc("2026-01-01"))


@given(
    now=st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC)),  # noqa: DTZ001  # the zone is added at once
    zone=st.one_of(st.timezones(), st.integers(-1080, 1080).map(lambda offset: zone_of(None, offset))),
    period=st.sampled_from(sorted(set(PERIODS.values()))),
)
def test_now_lies_in_its_period(now: datetime, zone: tzinfo, period: Period) -> None:
    """And the period that follows begins where this one ends."""
    current = bounds(now, zone, period)
    assert current.start <= now < current.end
    assert bounds(current.end, zone, period).start == current.end


SUDDEN = (
    *(utc("2025-03-09T07:00:00") + timedelta(minutes=each) for each in range(-90, 90, 7)),
    *(utc("2006-10-29T02:31:00") + timedelta(minutes=each) for each in range(-90, 90, 7)),  # back from 00:01 to 23:01
    *(utc("2011-12-30T10:00:00") + timedelta(minutes=each) for each in range(-90, 90, 7)),  # a day that never was
    *(utc("1972-01-07T00:44:30") + timedelta(seconds=each) for each in range(-90, 90, 7)),  # an offset with seconds
)
"""Moments around changes of the clocks."""


@given(
    zone=st.sampled_from(
        ["America/New_York", "America/St_Johns", "Pacific/Apia", "Africa/Monrovia", "Asia/Kathmandu", "Nowhere", None]
    ),
    offset=st.none() | st.integers(-1080, 1080),
    moments=st.lists(
        st.sampled_from(SUDDEN) | st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),  # noqa: DTZ001, E501  # the zone is added at once
        min_size=1,
        max_size=9,
    ),
)  # fmt: skip
def test_a_remembered_day_is_the_one_that_a_look_at_the_zone_would_give(
    zone: str | None, offset: int | None, moments: list[datetime]
) -> None:
    for now in moments:
        for moment in (now, now + timedelta(minutes=20), now + timedelta(microseconds=1)):
            found, expected = local_day_in(zone, offset, moment), local_day(moment, zone_of(zone, offset))
            assert (found.day, found.week) == (expected.isoformat(), iso_week(expected))
            assert found.zone == zone_of(zone, offset)


def test_the_last_hour_of_the_calendar_has_a_day_too() -> None:
    end = datetime.max.replace(tzinfo=UTC)
    assert local_day_in("America/New_York", None, end).day == "9999-12-31"
    assert local_day_in("Asia/Tokyo", None, end).day == "9999-12-31"
    assert local_day_in("America/New_York", None, datetime.min.replace(tzinfo=UTC)).day == "0001-01-01"


def test_a_quiet_hour_is_looked_up_once() -> None:
    now = utc("2025-10-15T12:34:56")
    assert local_day_in("Europe/Rome", None, now) is local_day_in("Europe/Rome", None, now + timedelta(minutes=25))
    assert local_day_in("Europe/Rome", None, now + timedelta(minutes=26)).since == utc("2025-10-15T13:00:00")


def test_invented_zones_take_only_so_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendar, "_MOST_KEPT", 10)
    for number in range(25):
        local_day_in(f"Nowhere/{number}", None, utc("2025-10-15T12:00:00"))
        assert len(calendar._kept) <= 10
