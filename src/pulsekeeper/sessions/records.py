"""What passes between the routes, the actors and the store. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

from msgspec import Struct

LONG = timedelta(seconds=30)
"""From here on a session is long enough for its installation to count as active on that day."""


class Claims(Struct, frozen=True):
    """What a session's token says. It is signed, so it is believed without looking anything up."""

    installation_id: UUID
    session_id: UUID
    started_at: datetime


class Opening(Struct, frozen=True, kw_only=True):
    """A session that is to begin."""

    at: datetime
    session_id: UUID
    known_as: UUID | None
    """The installation that the client says it is."""
    otherwise: UUID
    """The id that it gets if there is no such installation."""
    consent_version: str | None = None
    app_version: str | None = None
    platform: str | None = None
    timezone: str | None = None
    replace: bool = False


class Event(Struct, frozen=True, gc=False):
    """An event that is fit to be stored. Too many for the garbage collector to look at, and nothing in them to find."""

    id: UUID
    name: str
    at: datetime
    """Corrected by what is known of the client's clock, and never after its receipt."""
    raw_at: datetime | None
    """As the client said."""
    seq: int | None
    props: bytes | None
    """A JSON object."""
    is_cut: bool
    """Whether a string was too long."""


class Speech(Struct, frozen=True, kw_only=True):
    """A sign of life of a session: alone, with events, or with its end."""

    claims: Claims
    at: datetime
    """When it was received."""
    events: Sequence[Event] = ()
    acted: bool = False
    """Whether any of the events is more than the handshake's own."""
    ends: bool = False


class Standing(Enum):
    """How a session stood when its client was heard."""

    ALIVE = "alive"
    ENDED = "ended"
    """Over, but not for so long that its events would not be taken."""
    TOO_LATE = "too late"
    WITHDRAWN = "withdrawn"
    """Its user has withdrawn the consent, and has not started anew since."""
    UNKNOWN = "unknown"


class Heard(Struct, frozen=True):
    """What became of a speech, committed."""

    standing: Standing
    stored: int = 0
    """How many of its events were stored now. The others had been before, or are refused because of the standing."""


class Swept(Struct, frozen=True):
    """What one sweep of the reaper did."""

    ended: int
    put_off: int
    """Sessions that had been heard of since they were last looked at."""
    overlong: int = 0
    """Those among the ended that were open for as long as any session may be."""
