"""For how long stories were open: what was opened is paired with what was closed, story by story, within a session.

What happened is ordered by its number in the session, for clients' clocks are set back and forth. Of one story:

* a second opening while it is open is no opening, so that it is closed by one closing;
* closing what is not open means nothing;
* what is never closed is closed by the end of the session, or by its last sign of life so far, and is flagged;
* what would be closed before it was opened was open for no time;
* times that overlap all the same, because a clock was set back, count once.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from operator import itemgetter
from typing import NamedTuple

_NO_TIME = timedelta()
Span = tuple[datetime, datetime]


class StoryEvent(NamedTuple):
    """A story was opened or closed."""

    seq: int | None
    at: datetime
    opens: bool
    story: str


class StoryTime(NamedTuple):
    """What a session's stories add up to."""

    seconds: float
    unclosed: int
    """How many were open to the end."""


def story_time(events: Sequence[StoryEvent], end: datetime) -> StoryTime:
    """For how long stories were open in a session that was last heard of at `end`. The order given does not matter."""
    open_since: dict[str, datetime] = {}
    spans: dict[str, list[Span]] = {}
    for event in _in_order(events):
        if event.opens:
            open_since.setdefault(event.story, event.at)
        elif event.story in open_since:
            spans.setdefault(event.story, []).append((open_since.pop(event.story), event.at))
    for story, since in open_since.items():
        spans.setdefault(story, []).append((since, end))
    covered = sum((_covered(each) for each in spans.values()), _NO_TIME)
    return StoryTime(covered.total_seconds(), len(open_since))


def _in_order(events: Sequence[StoryEvent]) -> Iterable[StoryEvent]:
    """By number; one without a number comes after those numbered ones up to which the clock had not passed it."""
    numbered = sorted((event for event in events if event.seq is not None), key=_number)
    reached = accumulate((event.at for event in numbered), max)
    placed = [((clock, 0), event) for clock, event in zip(reached, numbered, strict=True)]
    unnumbered = sorted((event for event in events if event.seq is None), key=_moment)
    placed += [((event.at, 1), event) for event in unnumbered]
    return map(itemgetter(1), sorted(placed, key=itemgetter(0)))


def _number(event: StoryEvent) -> tuple[int, datetime, bool, str]:
    return (event.seq or 0, *_moment(event))


def _moment(event: StoryEvent) -> tuple[datetime, bool, str]:
    """Of what happened at one moment, openings come first: a story that is closed at once was open."""
    return event.at, not event.opens, event.story


def _covered(spans: list[Span]) -> timedelta:
    total, reached = _NO_TIME, None
    for start, end in sorted(spans):
        since = start if reached is None else max(start, reached)
        if end > since:
            total, reached = total + (end - since), end
    return total
