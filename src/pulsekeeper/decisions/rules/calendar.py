"""The visitor's own calendar: which local day and week a moment belongs to, and when they begin and end.

Only the IANA zone knows about daylight saving, so it wins; the offset is for clients without one. Everything here is
worked out from one moment, `now`, which must lie at least two months from the ends of Python's calendar.
"""

from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Literal, NamedTuple

from msgspec import Struct

from pulsekeeper.zones import zone_named

Period = Literal["day", "week", "month"]
PERIODS: dict[str, Period] = {"P1D": "day", "P1W": "week", "P7D": "week", "P1M": "month"}
"""The calendar periods as campaigns write them. A week is ISO's, from Monday."""


class Bounds(NamedTuple):
    """The first moment of a period and the first one after it, in UTC."""

    start: datetime
    end: datetime


class LocalDay(Struct, frozen=True, gc=False):
    """A day on the wall, and a stretch of time that lies in it."""

    zone: tzinfo
    day: str
    """`2025-10-15`."""
    week: str
    """The ISO week of the day, `2025-W42`."""
    since: datetime
    last: datetime
    """The first and the last moment of the stretch."""


_ALMOST_AN_HOUR = timedelta(hours=1) - timedelta(microseconds=1)
_MOST_KEPT = 4096
_kept: dict[tuple[str | None, int | None], LocalDay] = {}
"""The stretches that were looked up last, since most people are in a few zones, and looking up takes six times as long.

Anybody may invent zones: at the bound all are forgotten.
"""


def local_day_in(name: str | None, offset: int | None, now: datetime) -> LocalDay:
    """The day of `now` (UTC) in the zone that `zone_of` gives."""
    key = name, offset
    kept = _kept.get(key)
    if kept is not None and kept.since <= now <= kept.last:
        return kept
    found = _hour_around(now, zone_of(name, offset))
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    _kept[key] = found
    return found


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


def _hour_around(now: datetime, zone: tzinfo) -> LocalDay:
    """The whole hour around `now`; the moment alone where a midnight or a change of the clocks lies in the hour."""
    day = local_day(now, zone)
    since = now.replace(minute=0, second=0, microsecond=0)
    last = since + _ALMOST_AN_HOUR
    if not _is_even(since, last, zone):
        since = last = now
    return LocalDay(zone, day.isoformat(), iso_week(day), since, last)


def _is_even(since: datetime, last: datetime, zone: tzinfo) -> bool:
    """Clocks are never changed twice in one hour, so that the same offset at both ends tells of what lies between."""
    try:
        first, final = since.astimezone(zone), last.astimezone(zone)
    except OverflowError:
        return False
    return first.date() == final.date() and first.utcoffset() == final.utcoffset()


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
