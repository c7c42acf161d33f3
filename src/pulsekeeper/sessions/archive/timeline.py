"""One session: what is known of it now, and what happened in it. Pure."""

from datetime import datetime, timedelta
from typing import ClassVar, Self
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from pulsekeeper.sessions.model import EndReason, SessionState, Settings

LARGEST_PAGE = 500
"""Events."""
_MANY_DIGITS = 9  # more are not worth reading
CLOCK_DIFFERENCE = timedelta(days=1)
"""By how much an event may, by the clock of the node that received it, be older than its session's start."""


class PageSize(int):
    """A number of events, written in decimal digits."""

    EXPECTED: ClassVar[str] = f"a whole number from 1 to {LARGEST_PAGE}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what was written. Raises `ValueError` with a sentence."""
        size = cls(text) if text.isascii() and text.isdigit() and len(text) < _MANY_DIGITS else cls(0)
        if not 1 <= size <= LARGEST_PAGE:
            raise ValueError(f"expected {cls.EXPECTED}, got {text[:40]!r}")
        return size


class TimelineQuery(Struct, frozen=True, kw_only=True):
    """Which part of the timeline."""

    after: UUID | None = None
    """The event before the first one: `next` of the page before."""
    limit: PageSize = PageSize(100)


class Session(Struct, frozen=True, kw_only=True, rename="camel"):
    """A session, as it is known."""

    session_id: UUID
    installation_id: UUID
    started_at: datetime
    last_seen_at: datetime
    """Its last sign of life."""
    ended_at: datetime | None
    end_reason: EndReason | None
    app_version: str | None
    platform: str | None
    timezone: str | None
    """The IANA zone of its client."""


class TimelineEvent(Struct, frozen=True, kw_only=True, rename="camel"):
    """Something that happened."""

    id: UUID
    name: str
    at: datetime
    """Corrected by what is known of the client's clock."""
    raw_at: datetime | None
    """As the client said."""
    received_at: datetime
    seq: int | None
    props: Raw | None
    is_cut: bool
    """Whether strings in the properties were longer than is stored."""


class Timeline(Session, frozen=True, kw_only=True, rename="camel"):
    """A session and one page of its events."""

    state: SessionState
    events: tuple[TimelineEvent, ...]
    next: UUID | None
    """What to ask for as `after`; null at the end, which an open session may still move."""


def as_of(session: Session, settings: Settings, now: datetime) -> Session:
    """The session as it is at `now`: one that has been silent for too long is over, also while nobody has noticed."""
    if session.ended_at is not None:
        return session
    silent_at = session.last_seen_at + settings.timeout
    oldest_at = session.started_at + settings.max_length
    if now <= min(silent_at, oldest_at):
        return session
    reason = EndReason.MAX_LENGTH if oldest_at < silent_at else EndReason.TIMEOUT
    return msgspec.structs.replace(session, ended_at=session.last_seen_at, end_reason=reason)


def state_of(session: Session) -> SessionState:
    """In a word."""
    return "open" if session.ended_at is None else "ended"


def timeline(session: Session, events: tuple[TimelineEvent, ...], limit: int) -> Timeline:
    """A page of `limit` events; one more of them means that there is a next page."""
    page = events[:limit]
    return Timeline(
        **msgspec.structs.asdict(session),
        state=state_of(session),
        events=page,
        next=page[-1].id if len(events) > limit else None,
    )
