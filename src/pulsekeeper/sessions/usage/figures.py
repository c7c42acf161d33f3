"""What the figures are, each with its definition."""

from datetime import date

from msgspec import Struct, field

from pulsekeeper.sessions.usage.calendar import Bucket
from pulsekeeper.sessions.usage.retention import Cohort


class Counted(Struct, frozen=True):
    """How often something happened."""

    value: str
    """The name of the story or page."""
    count: int


class Figures(Struct, frozen=True, kw_only=True, rename="camel"):
    """What happened in some time. Sessions belong to the moment of their start, events to their own moment."""

    sessions_started: int
    sessions_ended: dict[str, int]
    """By reason, and by the moment of the end: the last sign of life."""
    length_p50_seconds: float | None
    """Of the sessions that were started then and are over, half were no longer than this; `null` if there are none."""
    length_p95_seconds: float | None
    active_users: int
    """Installations with a session that was started then, in which something was done, and that lasted 30 seconds."""
    peak_concurrent: int
    """The most sessions that were open and fresh at one time."""
    story_seconds: float
    """For how long stories were open in the sessions that were started then; an unclosed one counts to the end."""
    stories_unclosed: int
    """How many stories were never closed in these sessions."""
    stories_opened: int
    stories_closed: int
    pages_navigated: int
    events: dict[str, int]
    """By name."""


class BucketFigures(Figures, frozen=True, kw_only=True, rename="camel"):
    """What happened in one local day or week."""

    start: date
    """Its first day."""
    complete: bool
    """False while it is not over."""


class Retention(Struct, frozen=True, kw_only=True):
    """Who came back, for the buckets that have begun."""

    first: tuple[Cohort, ...]
    """Of the installations that were active for the first time ever in the bucket."""
    all: tuple[Cohort, ...]
    """Of all that were active in it."""


class MetricsReply(Struct, frozen=True, kw_only=True, rename="camel"):
    """Who was using it, and what for."""

    from_: date = field(name="from")
    """The first day that is counted; of weeks, a Monday."""
    to: date
    """The last day that is counted; of weeks, a Sunday."""
    timezone: str
    bucket: Bucket
    current: bool
    """False while figures about events are still being worked out, after a rebuild or a rush, and may be too low."""
    concurrent_now: int
    """Sessions that are open, and were heard of within two still-alive intervals."""
    totals: Figures
    """Of all these days. Who was active on several of them is one active user here."""
    buckets: tuple[BucketFigures, ...]
    """Every day or week, also those in which nothing happened."""
    top_stories: tuple[Counted, ...]
    """The stories that were opened and closed most often, in events; at most 20."""
    top_pages: tuple[Counted, ...]
    """The pages that were gone to most often; at most 20."""
    retention: Retention
