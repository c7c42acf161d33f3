"""Numbers for operators: what became of a campaign day by day, and of a release among those who ran it.

Days are local ones of the operator's zone, from one midnight to the next, so that a day on which the clocks change has
23 or 25 hours. Nothing is older than the log: days before its retention count nothing.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from pulsekeeper.decisions.rules.calendar import bounds, local_day
from pulsekeeper.decisions.rules.campaigns import Slug
from pulsekeeper.errors import Fault, Invalid
from pulsekeeper.zones import zone_named

MOST_DAYS = 400
_USUAL_DAYS = 30
_DAY = timedelta(days=1)
_FIRST, _LAST = date(1970, 1, 1), date(9000, 1, 1)


class ImpressionsQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """Which campaign, and which days."""

    campaign_id: Slug
    """Also of a campaign that is no more."""
    from_: date | None = field(default=None, name="from")
    """The first day; without it, the last of 30 days is `to`."""
    to: date | None = None
    """The last day, which is counted as well; without it, today."""
    bucket: Literal["day"] = "day"
    timezone: Annotated[str, Meta(max_length=64)] = "UTC"
    """The IANA name of the zone whose days they are."""


class Impressions(Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of a campaign in some time."""

    offered: int = 0
    """How often it was the answer to a page."""
    shown: int = 0
    """How often a page reported that it was seen."""
    dismissed: int = 0
    """How many people were the first time reported to have closed it."""
    completed: int = 0
    """How many people were the first time reported to have done what it asks for."""
    people: int = 0
    """How many different people all this was about."""


class DayOfImpressions(Impressions, frozen=True, kw_only=True, rename="camel"):
    """The same for one local day."""

    day: date


class ImpressionsReply(Struct, frozen=True, kw_only=True, rename="camel"):
    """A campaign, day by day."""

    campaign_id: str
    timezone: str
    total: Impressions
    """Of all these days. Who was there on several days is one of the people here."""
    days: tuple[DayOfImpressions, ...]
    """Every day that was asked for, also those on which nothing happened."""


class ReleaseReply(Struct, frozen=True, kw_only=True, rename="camel"):
    """How far the news of a release have come. All numbers count people.

    It is announced by the campaigns whose trigger names it, and by campaigns of type `release` that name none, when
    the page was running it.
    """

    release_id: str
    visitors: int
    """Who has run it, or was the first time seen on it."""
    offered: int
    """Whose page was told to show an announcement of it."""
    shown: int
    """Who has seen one, whatever they did with it."""
    acknowledged: int
    """Who has completed or dismissed one."""
    acknowledged_on_first_visit: int
    """Who did so within `visit_gap` (30 minutes unless configured) of their first call with this release."""


class Days(Struct, frozen=True, kw_only=True):
    """Local days that follow each other."""

    days: tuple[date, ...]
    starts: tuple[datetime, ...]
    """When each of them begins, in UTC."""
    end: datetime
    """When the last one is over, in UTC."""


def days_of(query: ImpressionsQuery, now: datetime) -> Days:
    """The days that are asked for. Raises `Invalid` for an unknown zone and for days that cannot be counted."""
    zone = zone_named(query.timezone)
    if zone is None:
        raise _invalid("timezone", f"there is no time zone called {query.timezone!r}")
    last = query.to or local_day(now, zone)
    first = query.from_ or last - (_USUAL_DAYS - 1) * _DAY
    if not _FIRST <= first <= last <= _LAST:
        raise _invalid("from", f"expected a day from {_FIRST} to {last}, got {first}")
    count = (last - first).days + 1
    if count > MOST_DAYS:
        raise _invalid("from", f"at most {MOST_DAYS} days can be asked for at once, these are {count}")
    days = tuple(first + number * _DAY for number in range(count))
    return Days(days=days, starts=tuple(_start(day, zone) for day in days), end=_start(last + _DAY, zone))


def reply_of(query: ImpressionsQuery, days: Days, counted: Mapping[int | None, Impressions]) -> ImpressionsReply:
    """`counted` has the numbers by the place of the day, from 1; `None` is all of them together."""
    nothing = Impressions()
    return ImpressionsReply(
        campaign_id=query.campaign_id,
        timezone=query.timezone,
        total=counted.get(None, nothing),
        days=tuple(_day(day, counted.get(place, nothing)) for place, day in enumerate(days.days, 1)),
    )


def _day(day: date, counted: Impressions) -> DayOfImpressions:
    return DayOfImpressions(
        day=day,
        offered=counted.offered,
        shown=counted.shown,
        dismissed=counted.dismissed,
        completed=counted.completed,
        people=counted.people,
    )


def _start(day: date, zone: tzinfo) -> datetime:
    noon = datetime.combine(day, time(12), zone).astimezone(UTC)
    return bounds(noon, zone, "day").start


def _invalid(name: str, detail: str) -> Invalid:
    return Invalid(f"{name}: {detail}", [Fault(f"/{name}", detail)])
