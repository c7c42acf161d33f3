"""A session as it is now."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from pulsekeeper.scalars import Duration
from pulsekeeper.sessions.archive.timeline import Session, TimelineEvent, as_of, state_of, timeline
from pulsekeeper.sessions.model import EndReason, Settings

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR, MOMENT = timedelta(hours=1), timedelta(microseconds=1)
SETTINGS = Settings(timeout=Duration(hours=1), max_length=Duration(hours=24))


def session(seen: datetime = NOON, **columns: Any) -> Session:
    rest = {"ended_at": None, "end_reason": None, "app_version": None, "platform": None, "timezone": None, **columns}
    return Session(session_id=UUID(int=1), installation_id=UUID(int=2), started_at=NOON, last_seen_at=seen, **rest)


def event(number: int) -> TimelineEvent:
    return TimelineEvent(
        id=UUID(int=number), name="a", at=NOON, raw_at=None, received_at=NOON, seq=None, props=None, is_cut=False
    )


@pytest.mark.parametrize(
    ("seen", "now", "reason"),
    [
        (NOON, NOON + HOUR, None),
        (NOON, NOON + HOUR + MOMENT, EndReason.TIMEOUT),
        (NOON + 23.5 * HOUR, NOON + 24 * HOUR, None),
        (NOON + 23.5 * HOUR, NOON + 24 * HOUR + MOMENT, EndReason.MAX_LENGTH),
        (NOON + 23 * HOUR, NOON + 24 * HOUR + MOMENT, EndReason.TIMEOUT),
        (NOON + 2 * HOUR, NOON + 30 * HOUR, EndReason.TIMEOUT),
    ],
    ids=["just alive", "silent", "just short enough", "too long", "both at once", "silent for long"],
)
def test_who_has_been_silent_for_too_long_is_over_since_the_last_sign_of_life(
    seen: datetime, now: datetime, reason: EndReason | None
) -> None:
    told = as_of(session(seen), SETTINGS, now)

    assert (told.end_reason, told.ended_at) == (reason, seen if reason else None)
    assert state_of(told) == ("ended" if reason else "open")


def test_an_end_that_is_stored_stays() -> None:
    ended = session(ended_at=NOON, end_reason=EndReason.CONSENT)

    assert as_of(ended, SETTINGS, NOON + 99 * HOUR) == ended


def test_a_page_says_whether_there_is_another() -> None:
    """It is asked for with one event more than it has."""
    full = timeline(session(), (event(1), event(2), event(3)), 2)
    last = timeline(session(), (event(1), event(2)), 2)

    assert ([each.id.int for each in full.events], full.next) == ([1, 2], UUID(int=2))
    assert ([each.id.int for each in last.events], last.next) == ([1, 2], None)
    assert timeline(session(), (), 2).next is None
