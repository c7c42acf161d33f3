"""The visitor's own calendar: which local day and week a moment belongs to, and when they begin and end.

Only the IANA zone knows about daylight saving, so it wins; the offset is for clients without one. Everything here is
worked out from one moment, `now`, which must lie at least two months from the ends of Python's calendar.
"""

from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Literal, NamedTuple

from pulsekeeper.zones import zone_named

Period = Literal["day", "week", "month"]
PERIODS: dict[str, Period] = {"P1D": "day", "P1W": "week", "P7D": "week", "P1M": "month"}
"""The calendar periods as campaigns write them. A week is ISO's, from Monday."""


class Bounds(NamedTuple):
    """The first moment of a period and the first one after it, in UTC."""

    start: datetime
    end: datetime


def zone_of(name: str | None, offset: int | None) -> tzinfo:
    """The zone to reckon in: the named one if there is such a zone, else the offset, else UTC.

    `offset` is in minutes with JavaScript's sign: 240 is four hours *behind* UTC, and 0 is UTC and not a missing value.
    """
    named = None if name is None else zone_named(name)
    if named is not None:
        return named
    return UTC if offset is None else _fixed(offset)


def local_day(moment: datetime, zone: tzinfo) -> date:
    """The date on the wall at `moment`; at the very ends of Python's calendar, the date as it was written."""
    try:
        return moment.astimezone(zone).date()
    except OverflowError:
        return moment.date()


@lru_cache(maxsize=64)
def iso_week(day: date) -> str:
    """The ISO week of a day, `2025-W42`. Its year is the week's, not always the day's."""
    year, week, _ = day.isocalendar()
    return f"{year:04}-W{week:02}"


def bounds(now: datetime, zone: tzinfo, period: Period) -> Bounds:
    """The local day, week or month that `now` lies in. Across a change of the clocks a day has 23 or 25 hours."""
    today = local_day(now, zone)
    first, after = _days(today, period)
    return Bounds(_midnight(first, zone), _midnight(after, zone))


@lru_cache(maxsize=4096)
def _fixed(offset: int) -> timezone:
    return timezone(timedelta(minutes=-offset))


def _days(today: date, period: Period) -> tuple[date, date]:
    match period:
        case "day":
            return today, today + timedelta(days=1)
        case "week":
            monday = today - timedelta(days=today.weekday())
            return monday, monday + timedelta(days=7)
        case "month":
            first = today.replace(day=1)
            return first, (first + timedelta(days=31)).replace(day=1)


def _midnight(day: date, zone: tzinfo) -> datetime:
    # Where the clocks skip midnight, the offset from before the change is used, which gives the moment of the change.
    return datetime.combine(day, time(), zone).astimezone(UTC)
