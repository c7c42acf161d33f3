"""Which days or weeks are asked for, and when each of them begins and ends: local ones, from midnight to midnight.

A day on which the clocks change has 23 or 25 hours, or half an hour more or less on Lord Howe Island; only the zone
knows. Weeks are ISO's, from Monday, and always whole: part of a week cannot be compared with another week.
"""

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct, field

from pulsekeeper.errors import Fault, Invalid
from pulsekeeper.zones import zone_named

MOST_DAYS = 400
_USUAL_DAYS = 30
_DAY = timedelta(days=1)
_FIRST, _LAST = date(1970, 1, 5), date(9000, 1, 1)

Bucket = Literal["day", "week"]


class MetricsQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """Which days, and how they are put together."""

    from_: date | None = field(default=None, name="from")
    """The first day; without it, `to` is the last of 30 days."""
    to: date | None = None
    """The last day, which is counted as well; without it, today."""
    timezone: Annotated[str, Meta(max_length=64)] = "UTC"
    """The IANA name of the zone whose days they are."""
    bucket: Bucket = "day"


class Buckets(Struct, frozen=True, kw_only=True):
    """Local days, or ISO weeks, that follow each other."""

    bucket: Bucket
    timezone: str
    first: date
    """The first day of all."""
    last: date
    """The last day of all."""
    starts: tuple[date, ...]
    """The first day of each."""
    edges: tuple[datetime, ...]
    """When each of them begins, and then when the last one is over, in UTC."""

    @property
    def count(self) -> int:
        """How many there are; at least one."""
        return len(self.starts)

    @property
    def start(self) -> datetime:
        """When the first one begins."""
        return self.edges[0]

    @property
    def end(self) -> datetime:
        """When the last one is over."""
        return self.edges[-1]

    def begun(self, now: datetime) -> int:
        """How many have begun."""
        return bisect_right(self.edges[:-1], now)

    def present(self, now: datetime) -> int | None:
        """The place of the one that is going on; `None` when all of them are over, or none has begun."""
        return self.over(now) if self.over(now) < self.begun(now) else None

    def over(self, now: datetime) -> int:
        """How many are over; their figures can only change by what is told late."""
        return bisect_right(self.edges[1:], now)


def buckets_of(query: MetricsQuery, now: datetime) -> Buckets:
    """What is asked for. Raises `Invalid` for an unknown zone, and for days that cannot be counted."""
    zone = zone_named(query.timezone)
    if zone is None:
        raise _invalid("timezone", f"there is no time zone called {query.timezone!r}")
    last = query.to or now.astimezone(zone).date()
    first = _first_day(query.from_, last)
    step = _DAY
    if query.bucket == "week":
        first, last, step = _monday(first), _monday(last) + 6 * _DAY, 7 * _DAY
    starts = tuple(first + number * step for number in range(((last - first) // step) + 1))
    edges = tuple(_midnight(day, zone) for day in (*starts, last + _DAY))
    return Buckets(bucket=query.bucket, timezone=query.timezone, first=first, last=last, starts=starts, edges=edges)


def _first_day(asked: date | None, last: date) -> date:
    if not _FIRST <= last <= _LAST:
        raise _invalid("to", f"expected a day from {_FIRST} to {_LAST}, got {last}")
    first = asked or max(_FIRST, last - (_USUAL_DAYS - 1) * _DAY)
    if not _FIRST <= first <= last:
        raise _invalid("from", f"expected a day from {_FIRST} to {last}, got {first}")
    count = (last - first).days + 1
    if count > MOST_DAYS:
        raise _invalid("from", f"at most {MOST_DAYS} days can be asked for at once, these are {count}")
    return first


def _monday(day: date) -> date:
    return day - day.weekday() * _DAY


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    # Where the clocks skip midnight, the offset from before the change is used, which gives the moment of the change.
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _invalid(name: str, detail: str) -> Invalid:
    return Invalid(f"{name}: {detail}", [Fault(f"/{name}", detail)])
