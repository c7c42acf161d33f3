"""What goes between the decider and the tables: states and log rows, already encoded."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from pulsekeeper.decisions.rules.people import Kind


class Stored(Struct, frozen=True):
    """A person's row: the version that a later write must find unchanged, and the state as JSON."""

    version: int
    """0 where there is no row."""
    state: bytes | None
    last_seen_at: datetime | None
    """Must be unchanged, too: somebody who was erased and came back counts their versions from the start again."""


NOBODY = Stored(0, None, None)
"""Someone who was never here."""


class LogRow(Struct, frozen=True, kw_only=True, gc=False):
    """One decision on its way into the log. The texts are JSON."""

    decision_id: str
    """A UUID."""
    identity: bytes
    """What was known of who asked: see `Identity`."""
    request: bytes
    state_before: bytes | None
    reply: bytes
    reasons: bytes


class Identity(Struct, frozen=True, kw_only=True, gc=False):
    """What a decision knew of who asked. Kept with it, so that it can be made again."""

    key: str
    """The person's key at the time; the row itself follows them to the key of a new salt."""
    kind: Kind
    authenticated: bool = False
    roles: tuple[str, ...] = ()


class Impression(Struct, frozen=True, kw_only=True, gc=False):
    """Something that became of a campaign and a person."""

    campaign_id: str
    event: Literal["offered", "shown", "dismissed", "completed"]
    release_id: str | None
    decision_id: str | None
    """A UUID."""


class Link(Struct, frozen=True, kw_only=True, gc=False):
    """An anonymous row that turned out to be this person, and both states as they were: enough to undo it."""

    anonymous_key: str
    state_before: bytes | None
    anonymous_state: bytes | None


class Write(Struct, frozen=True, kw_only=True, gc=False):
    """What a batch has to write for one person: the state in the end, and everything that happened on the way to it."""

    person_key: str
    seen_version: int
    seen_last_seen_at: datetime | None
    new_version: int
    last_seen_at: datetime
    state: bytes
    log: Sequence[LogRow] = ()
    impressions: Sequence[Impression] = ()
    links: Sequence[Link] = ()
    releases_visited: Sequence[str] = ()
    """The releases that the person has now run for the first time."""


class Committed(Struct, frozen=True):
    """What became of a batch."""

    is_current: bool
    """Whether the rules are still those that the batch was decided by; if not, nothing was written."""
    saved: frozenset[str]
    """The people whose rows were as they had been read. The others have to be decided again."""
    overtaken: Mapping[str, Stored] = {}
    """What stands there now of the others, as far as they have a row: somebody else was faster."""
