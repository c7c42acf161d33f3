"""What is worked out of changed sessions in memory, and how time is cut for the roll-ups."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct

from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.usage.stories import StoryEvent, StoryTime, story_time

QUARTER = timedelta(minutes=15)
"""What roll-ups are made of. Every zone's midnight is at a quarter of an hour."""
_SLACK = timedelta(hours=2)
"""The clocks of nodes differ; and where the database adds a day, that may be one on which its own clock changes."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_read_stories = msgspec.json.Decoder(list[StoryEvent]).decode


class StaleSession(NamedTuple):
    """A session that has changed since it was last worked out."""

    id: UUID
    changes: int
    """What a write must find unchanged."""
    until: datetime
    """Its end, or its last sign of life so far."""
    events: int
    """How many it has, of any kind: the work that writing it will be."""
    stories: bytes
    """Its `StoryEvent`s, as JSON arrays: reading many of them takes long."""


class WorkedOut(Struct, frozen=True):
    """A session, and for how long its stories were open."""

    session: StaleSession
    time: StoryTime


class Accounted(Struct, frozen=True, kw_only=True):
    """What one run has done."""

    sessions: int = 0
    """Sessions that were brought up to date."""
    quarters: int = 0
    """Quarters of an hour for which presence was worked out."""
    is_done: bool = True
    """False when there was more than one run may do."""


def work_out(sessions: Sequence[StaleSession]) -> list[WorkedOut]:
    """The heavy part: call it in a thread."""
    return [WorkedOut(session, story_time(_read_stories(session.stories), session.until)) for session in sessions]


def in_portions(worked_out: Sequence[WorkedOut], most: int) -> Iterator[list[WorkedOut]]:
    """In the same order, with at most so many events at once; a session with more of them is alone."""
    portion: list[WorkedOut] = []
    events = 0
    for each in worked_out:
        if portion and events + each.session.events > most:
            yield portion
            portion, events = [], 0
        portion.append(each)
        events += each.session.events
    if portion:
        yield portion


def quarter_of(moment: datetime) -> datetime:
    """The start of the quarter of an hour that a moment lies in."""
    return moment - (moment - _EPOCH) % QUARTER


def longest_trace(settings: Settings) -> timedelta:
    """How long before something counts its session was started, at most: it may tell of itself late."""
    return settings.token_lifetime + settings.fresh + _SLACK


def settled_before(settings: Settings, now: datetime) -> datetime:
    """Presence in quarters that begin earlier does not change any more: late events move no end across them."""
    return now - settings.late - settings.fresh - _SLACK


def rebuildable_since(settings: Settings, now: datetime) -> datetime:
    """Before this, part of what roll-ups were made of may have been dropped: they are the last record of it."""
    return quarter_of(now - settings.retention + settings.early + longest_trace(settings)) + QUARTER
