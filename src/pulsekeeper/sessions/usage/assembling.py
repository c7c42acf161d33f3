"""From what the database has counted to the figures. The heavy part of an answer: call it in a thread."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct

from pulsekeeper.sessions.model import EndReason, Settings
from pulsekeeper.sessions.usage.calendar import Buckets
from pulsekeeper.sessions.usage.figures import BucketFigures, Counted, Figures, MetricsReply, Retention
from pulsekeeper.sessions.usage.percentiles import Ordered, Together, percentile
from pulsekeeper.sessions.usage.retention import Activity, Presence, activity_of, cohorts

MOST_VALUES = 20
"""How many stories, and how many pages, are listed."""

F = TypeVar("F", bound=Figures)


class SessionCount(NamedTuple):
    """Sessions that were started in the same bucket, and ended for the same reason."""

    place: int
    """From 0; -1 of those that were started before the first bucket."""
    reason: str | None
    """`None` for those that are open."""
    sessions: int
    ended: int
    """How many of them ended in the same bucket."""
    later_ends: Sequence[int]
    """The places in which the others did; what is no place of a bucket is after all of them."""
    lengths: Sequence[float]
    """Seconds; of those that are over."""
    story_seconds: float
    stories_unclosed: int


class EventCount(NamedTuple):
    """How often something happened in a bucket."""

    place: int
    name: str
    events: int


class ValueCount(NamedTuple):
    """How often something happened to a story or page in all buckets."""

    name: str
    value: str
    events: int


class Counts(Struct, frozen=True, kw_only=True):
    """What the database has counted."""

    sessions: Sequence[SessionCount]
    presences: Sequence[Presence]
    """One for each installation that was active."""
    events: Sequence[EventCount]
    values: Sequence[ValueCount]
    peaks: Mapping[int, int]
    """By the place of the bucket."""
    concurrent: int
    """Now."""
    current: bool


class _Part:
    """What happened in one bucket, or in all of them."""

    def __init__(self) -> None:
        self.started = 0
        self.ended: Counter[str] = Counter()
        self.lengths: list[float] = []
        self.story_seconds = 0.0
        self.stories_unclosed = 0
        self.events: Counter[str] = Counter()
        self.active = 0
        self.peak = 0

    def start(self, count: SessionCount) -> None:
        """Sessions that were started in it."""
        self.started += count.sessions
        self.lengths += count.lengths
        self.story_seconds += count.story_seconds
        self.stories_unclosed += count.stories_unclosed

    def figures(self, kind: type[F], lengths: Ordered, settings: Settings, **more: Any) -> F:
        """Itself as a Struct, with `lengths` that are sorted."""
        return kind(
            **more,
            sessions_started=self.started,
            sessions_ended={reason.value: self.ended[reason.value] for reason in EndReason},
            length_p50_seconds=percentile(lengths, 0.5),
            length_p95_seconds=percentile(lengths, 0.95),
            active_users=self.active,
            peak_concurrent=self.peak,
            story_seconds=self.story_seconds,
            stories_unclosed=self.stories_unclosed,
            stories_opened=self.events[settings.opened_event],
            stories_closed=self.events[settings.closed_event],
            pages_navigated=self.events[settings.page_event],
            events=dict(sorted(self.events.items())),
        )


def reply_of(buckets: Buckets, counts: Counts, settings: Settings, now: datetime) -> MetricsReply:
    """Put the counts together."""
    activity = activity_of(counts.presences, buckets.count)
    parts = _parts(buckets.count, counts, activity, buckets.present(now))
    return MetricsReply(
        from_=buckets.first,
        to=buckets.last,
        timezone=buckets.timezone,
        bucket=buckets.bucket,
        current=counts.current,
        concurrent_now=counts.concurrent,
        buckets=tuple(
            part.figures(BucketFigures, part.lengths, settings, start=start, complete=end <= now)
            for part, start, end in zip(parts, buckets.starts, buckets.edges[1:], strict=True)
        ),
        totals=_total(parts, activity.people).figures(Figures, Together([part.lengths for part in parts]), settings),
        top_stories=_top(counts.values, (settings.opened_event, settings.closed_event)),
        top_pages=_top(counts.values, (settings.page_event,)),
        retention=_retention(buckets, activity, now),
    )


def _parts(count: int, counts: Counts, activity: Activity, present: int | None) -> list[_Part]:
    parts = [_Part() for _ in range(count)]
    for sessions in counts.sessions:
        if sessions.place >= 0:
            parts[sessions.place].start(sessions)
        if sessions.reason is not None:
            _end(parts, sessions, sessions.reason)
    for event in counts.events:
        parts[event.place].events[event.name] += event.events
    for place, part in enumerate(parts):
        part.lengths.sort()
        part.active = activity.active[place].bit_count()
        part.peak = max(counts.peaks.get(place, 0), counts.concurrent if place == present else 0)
    return parts


def _end(parts: Sequence[_Part], sessions: SessionCount, reason: str) -> None:
    if sessions.place >= 0:
        parts[sessions.place].ended[reason] += sessions.ended
    for place in sessions.later_ends:
        if place < len(parts):
            parts[place].ended[reason] += 1


def _total(parts: Sequence[_Part], people: int) -> _Part:
    """Without the lengths. Who was active in several of them is one of the `people`."""
    total = _Part()
    for part in parts:
        total.started += part.started
        total.ended += part.ended
        total.story_seconds += part.story_seconds
        total.stories_unclosed += part.stories_unclosed
        total.events += part.events
        total.peak = max(total.peak, part.peak)
    total.active = people
    return total


def _top(values: Sequence[ValueCount], names: Sequence[str]) -> tuple[Counted, ...]:
    counts: Counter[str] = Counter()
    for each in values:
        if each.name in names:
            counts[each.value] += each.events
    first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_VALUES]
    return tuple(Counted(value, count) for value, count in first)


def _retention(buckets: Buckets, activity: Activity, now: datetime) -> Retention:
    begun, over = buckets.begun(now), buckets.over(now)
    active = activity.active[:begun]
    return Retention(
        first=cohorts(activity.first[:begun], active, buckets.starts, over),
        all=cohorts(active, active, buckets.starts, over),
    )
