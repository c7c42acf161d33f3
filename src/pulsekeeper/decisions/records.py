"""What goes between the decider and the tables: states and log rows, already encoded."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct


class Stored(Struct, frozen=True):
    """A person's row: the version that a later write must find unchanged, and the state as JSON."""

    version: int
    """0 where there is no row."""
    state: bytes | None


NOBODY = Stored(0, None)
"""Someone who was never here."""


class LogRow(Struct, frozen=True, kw_only=True):
    """One decision on its way into the log. The texts are JSON."""

    decision_id: UUID
    request: bytes
    state_before: bytes | None
    reply: bytes
    reasons: bytes


class Write(Struct, frozen=True, kw_only=True):
    """What a batch has to write for one person: the state in the end, and every decision on the way to it."""

    person_key: str
    seen_version: int
    new_version: int
    last_seen_at: datetime
    state: bytes
    log: Sequence[LogRow]


class Committed(Struct, frozen=True):
    """What became of a batch."""

    is_current: bool
    """Whether the rules are still those that the batch was decided by; if not, nothing was written."""
    saved: frozenset[str]
    """The people whose rows were as they had been read. The others have to be read and decided again."""
