"""Which events are meant: those received in some time, in UTC. Pure."""

from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar, Literal, Self

from msgspec import Struct, field

from pulsekeeper.errors import Fault, Invalid

Format = Literal["ndjson", "csv", "parquet"]
MOST_DAYS = 400
"""Days that can be asked for at once; a little more than is kept, unless that was changed."""
GRACE = timedelta(minutes=10)
"""How long after midnight a day counts as over: what was received before it may still be on its way to a commit."""
_DAY = timedelta(days=1)
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


class Moment(datetime):
    """A moment in UTC, written as a date, which is its midnight, or as a date and a time; in UTC without a zone."""

    EXPECTED: ClassVar[str] = "a date such as '2026-11-21', or a moment such as '2026-11-21T08:00:00Z'"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what was written. Raises `ValueError` with a sentence."""
        try:
            read = cls.fromisoformat(text)
            at = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
        except (ValueError, OverflowError):
            at = None
        if at is None or not _FIRST <= at <= _LAST:
            raise ValueError(f"expected {cls.EXPECTED}, got {text[:40]!r}")
        return at


class ExportQuery(Struct, frozen=True, kw_only=True):
    """What is asked for, and how it is to be written."""

    format: Format = "ndjson"
    from_: Moment | None = field(default=None, name="from")
    """The first moment; without it, a day before `to`."""
    to: Moment | None = None
    """The moment after the last one; without it, now. With neither: yesterday."""


class Period(Struct, frozen=True):
    """A stretch of time, its end excluded."""

    since: datetime
    until: datetime


def period_of(query: ExportQuery, now: datetime) -> Period:
    """The time that is asked for. Raises `Invalid` if it is none, or too long."""
    otherwise = now if query.from_ is not None else _midnight(now.date())
    until = otherwise if query.to is None else query.to
    since = until - _DAY if query.from_ is None else query.from_
    if since >= until:
        raise _invalid(f"expected a moment before {until:%Y-%m-%dT%H:%M:%SZ}, got {since:%Y-%m-%dT%H:%M:%SZ}")
    if until - since > MOST_DAYS * _DAY:
        raise _invalid(f"at most {MOST_DAYS} days can be asked for at once")
    return Period(since, until)


def day(of: date) -> Period:
    """One day."""
    return Period(_midnight(of), _midnight(of + _DAY))


def last_day_over(now: datetime) -> date:
    """The last day of which no more events will come."""
    return (now - GRACE).date() - _DAY


def days_from(first: date, last: date) -> list[date]:
    """These two and all between them; none if they are the wrong way round."""
    return [first + number * _DAY for number in range((last - first).days + 1)]


def _midnight(of: date) -> datetime:
    return datetime.combine(of, time(), UTC)


def _invalid(detail: str) -> Invalid:
    return Invalid(f"from: {detail}", [Fault("/from", detail)])
