"""What the client's parts pass to each other, and what goes over the wire. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from time import monotonic
from uuid import UUID

from msgspec import Struct

MOST_EVENTS = 500
"""Events that the service takes in one call."""
MOST_BYTES = 1_000_000
"""Bytes that a body may have before it is packed; the service takes 1 MiB."""
MOST_EVENT_BYTES = 65_536
"""Bytes of one event. A larger one is a mistake of the program, and would be in the way of the others."""
LONGEST_LABEL = 64
"""Characters of a version or platform that the service takes."""


class Kind(StrEnum):
    """The calls that there are; the value is the last part of the path."""

    START = "start-session"
    INGEST = "ingest"
    STILL_ALIVE = "still-alive"
    END = "end-session"
    WITHDRAW = "withdraw"


class Clocks(Struct, frozen=True):
    """What time it is. Two clocks: the wall's may be set at any moment, so it only says when something happened.

    Only here does the client read them: it stands alone, in other people's programs, without the service's clock.
    """

    wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = monotonic


class Options(Struct, frozen=True, kw_only=True):
    """What the embedding program has chosen."""

    url: str
    """Of the service, without `/telemetry`."""
    consent_version: str | None = None
    app_version: str | None = None
    platform: str | None = None
    timezone: str | None = None
    replace: bool = False
    delay: float = 2.0
    """Seconds that an event may wait for others to travel with."""
    patience: float = 2.0
    """Seconds that the end may take."""


class Stats(Struct, frozen=True):
    """What has become of the events, counted since the client was made.

    Every event is sooner or later counted once as acknowledged, duplicate, rejected or dropped, or is still queued.
    """

    queued: int = 0
    """Waiting at this moment, those of earlier runs included."""
    sent: int = 0
    """Sent, each time that they were."""
    acknowledged: int = 0
    """Stored by the service."""
    duplicates: int = 0
    """Stored by the service before: the answer to an earlier try was lost."""
    rejected: int = 0
    """Refused by the service one by one, or not fit to be sent."""
    dropped: int = 0
    """Given up: the queue was full, consent was withdrawn, or the service refused them as they came."""
    reasons: Mapping[str, int] = {}
    """Those rejected and dropped, by reason."""


class Answer(Struct, frozen=True, kw_only=True):
    """What came back over HTTP, whoever sent it."""

    status: int
    body: bytes = b""
    content_type: str = ""
    retry_after: str | None = None


class Request(Struct, frozen=True, kw_only=True):
    """A POST that is to be made."""

    kind: Kind
    url: str
    headers: Mapping[str, str]
    body: bytes
    rows: Sequence[tuple[int, bytes]] = ()
    """The events in it, with their numbers in the queue."""


class Pause(Struct, frozen=True):
    """There is nothing to do for so many seconds (maybe for ever), unless the client is woken."""

    seconds: float


class Session(Struct, frozen=True, kw_only=True, rename="camel"):
    """A session has begun."""

    session_id: UUID
    token: str
    installation_id: UUID
    still_alive_seconds: float = 300.0


class Refusal(Struct, frozen=True):
    """An event that the service does not store."""

    index: int
    reason: str


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of the events of a call."""

    accepted: int
    duplicates: int
    rejected: tuple[Refusal, ...]


class Problem(Struct, frozen=True):
    """The part of a problem document that programs look at."""

    code: str | None = None
