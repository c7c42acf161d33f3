"""The figures computed from their definitions alone, without thought for time: what the room's are held against."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.sessions_histories import FRESH, Happening, Life

_QUARTER = timedelta(minutes=15)
Days = list[list[date]]


def figures(lives: Sequence[Life], days: Days, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """As the route gives them, for buckets that are lists of days."""
    every = [day for bucket in days for day in bucket]
    return {
        "concurrentNow": sum(life.ended_at is None and life.last_seen_at >= now - FRESH for life in lives),
        "totals": _part(lives, every, zone, now),
        "buckets": [
            _part(lives, bucket, zone, now)
            | {"start": bucket[0].isoformat(), "complete": now.astimezone(zone).date() > bucket[-1]}
            for bucket in days
        ],
        "topStories": _top(lives, every, zone, ("story_opened", "story_closed")),
        "topPages": _top(lives, every, zone, ("page_navigated",)),
        "retention": _retention(lives, days, zone, now),
    }


def _part(lives: Sequence[Life], days: list[date], zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    started = [life for life in lives if _day(life.started_at, zone) in days]
    ended = Counter(life.end_reason for life in lives if life.ended_at and _day(life.ended_at, zone) in days)
    lengths = [(life.ended_at - life.started_at).total_seconds() for life in started if life.ended_at]
    names = Counter(event.name for event in _events(lives, days, zone))
    stories = [_story_time(life) for life in started]
    return {
        "sessionsStarted": len(started),
        "sessionsEnded": {
            reason: ended[reason] for reason in ("explicit", "timeout", "consent", "max_length", "replaced")
        },
        "lengthP50Seconds": _percentile(lengths, 50),
        "lengthP95Seconds": _percentile(lengths, 95),
        "activeUsers": len({life.installation for life in started if life.is_active}),
        "peakConcurrent": _peak(lives, days, zone, now),
        "storySeconds": sum(seconds for seconds, _ in stories),
        "storiesUnclosed": sum(unclosed for _, unclosed in stories),
        "storiesOpened": names["story_opened"],
        "storiesClosed": names["story_closed"],
        "pagesNavigated": names["page_navigated"],
        "events": dict(names),
    }


def _day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def _events(lives: Iterable[Life], days: list[date], zone: ZoneInfo) -> list[Happening]:
    return [event for life in lives for event in life.events.values() if _day(event.at, zone) in days]


def _percentile(lengths: list[float], hundredth: int) -> float | None:
    if len(lengths) < 2:
        return lengths[0] if lengths else None
    return statistics.quantiles(lengths, n=100, method="inclusive")[hundredth - 1]


def _peak(lives: Sequence[Life], days: list[date], zone: ZoneInfo, now: datetime) -> int:
    """The most at any moment at which somebody comes, or at which a quarter of an hour begins."""
    spans = [span for life in lives for span in _spans(life, now)]
    moments = [since for since, _ in spans]
    if lives:
        first = min(life.started_at for life in lives)
        moments += [
            quarter
            for number in range(int((now - first) / _QUARTER) + 1)
            if (quarter := first.replace(minute=0, second=0, microsecond=0) + number * _QUARTER) <= now
        ]
    levels = [sum(a <= each < b for a, b in spans) for each in moments if _day(each, zone) in days]
    if _day(now, zone) in days:
        levels.append(sum(life.ended_at is None and life.last_seen_at >= now - FRESH for life in lives))
    return max(levels, default=0)


def _spans(life: Life, now: datetime) -> list[tuple[datetime, datetime]]:
    until = min(life.last_seen_at + FRESH, now)
    if life.ended_at is not None and life.end_reason in ("explicit", "consent", "replaced"):
        until = min(life.last_seen_at + FRESH, life.ended_at)
    edges = [life.started_at, *(edge for gap in life.away for edge in gap), until]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]


def _story_time(life: Life) -> tuple[float, int]:
    spans: list[tuple[str, datetime, datetime]] = []
    opened: dict[str, datetime] = {}
    about_stories = [event for event in life.events.values() if event.name in ("story_opened", "story_closed")]
    for event in _in_order(about_stories):
        story = event.value or ""
        if event.name == "story_opened" and story not in opened:
            opened[story] = event.at
        elif event.name == "story_closed" and story in opened:
            spans.append((story, opened.pop(story), event.at))
    spans += [(story, since, life.until) for story, since in opened.items()]
    return sum(_length([(a, b) for name, a, b in spans if name == story]) for story, _, _ in _once(spans)), len(opened)


def _once(spans: list[tuple[str, datetime, datetime]]) -> list[tuple[str, datetime, datetime]]:
    return list({span[0]: span for span in spans}.values())


def _length(spans: list[tuple[datetime, datetime]]) -> float:
    """Of what at least one of them covers."""
    cuts = sorted({edge for span in spans for edge in span})
    return sum(
        (after - before).total_seconds()
        for before, after in pairwise(cuts)
        if any(a <= before and after <= b for a, b in spans)
    )


def _in_order(events: list[Happening]) -> list[Happening]:
    """By number; then each of the others is put behind all that had happened by its time."""
    ordered = sorted((event for event in events if event.seq is not None), key=lambda event: event.seq or 0)
    others = [event for event in events if event.seq is None]
    for event in sorted(others, key=lambda one: (one.at, one.name != "story_opened", one.value or "")):
        place = 0
        while place < len(ordered) and max(one.at for one in ordered[: place + 1]) <= event.at:
            place += 1
        ordered.insert(place, event)
    return ordered


def _top(lives: Sequence[Life], days: list[date], zone: ZoneInfo, names: tuple[str, ...]) -> list[dict[str, Any]]:
    counts = Counter(e.value for e in _events(lives, days, zone) if e.name in names and e.value)
    return [
        {"value": value, "count": count} for value, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    ]


def _retention(lives: Sequence[Life], days: Days, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    today = _day(now, zone)
    begun = [bucket for bucket in days if bucket[0] <= today]
    active: dict[int, set[date]] = {}
    for life in lives:
        if life.is_active:
            active.setdefault(life.installation, set()).add(_day(life.started_at, zone))

    def cohort(place: int, people: list[int]) -> dict[str, Any]:
        columns = begun[place : place + 31]
        again = [sum(not active[one].isdisjoint(column) for one in people) for column in columns]
        is_complete = columns[-1][-1] < today
        return {"start": begun[place][0].isoformat(), "size": len(people), "active": again, "complete": is_complete}

    everybody = [[one for one in active if not active[one].isdisjoint(bucket)] for bucket in begun]
    newcomers = [[one for one in active if min(active[one]) in bucket] for bucket in begun]
    return {
        "first": [cohort(place, people) for place, people in enumerate(newcomers)],
        "all": [cohort(place, people) for place, people in enumerate(everybody)],
    }
