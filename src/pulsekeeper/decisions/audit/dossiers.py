"""One person as operators may see them: what is known, everything that is stored, and how much of it was erased."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.structs import asdict

from pulsekeeper.decisions.audit.replay import Logged
from pulsekeeper.decisions.rules.model import PersonKey, VisitorId, VisitorState
from pulsekeeper.errors import Fault, Invalid

MOST_ROWS = 10_000
"""Of each sort, in one export."""
MOST_BYTES = 32 * 1024 * 1024
"""Of logged decisions, and again of links, in one export: states can be large."""

UserId = Annotated[str, Meta(min_length=1, max_length=507)]
_states = msgspec.json.Decoder(VisitorState)


class PersonQuery(Struct, frozen=True, kw_only=True, rename="camel"):
    """Whom an operator means, in exactly one of three ways."""

    user_id: UserId | None = None
    """The `sub` of the ID token."""
    visitor_id: VisitorId | None = None
    """The browser's own id. It is hashed under the salt in force, and under the one before it."""
    person_key: PersonKey | None = None
    """The key, as the log has it."""
    export: Literal["0", "1"] = "0"
    """`1` gives everything that is stored."""

    def check(self) -> None:
        """Raises `Invalid` unless exactly one person is named."""
        if [self.user_id, self.visitor_id, self.person_key].count(None) != 2:
            detail = "Name the person by exactly one of userId, visitorId and personKey."
            raise Invalid(detail, [Fault("", detail)])


class PersonState(VisitorState, frozen=True, kw_only=True, rename="camel"):
    """What is known of a person, with the key under which it is stored."""

    person_key: str


class LinkRow(Struct, frozen=True, kw_only=True, rename="camel"):
    """An anonymous person who turned out to be a user, and what was known of either at that moment."""

    person_key: str
    anonymous_key: str
    linked_at: datetime
    state_before: Raw | None
    anonymous_state: Raw | None


class ImpressionRow(Struct, frozen=True, kw_only=True, rename="camel"):
    """Something that became of a campaign and a person."""

    happened_at: datetime
    person_key: str
    campaign_id: str
    event: str
    release_id: str | None
    decision_id: UUID | None


class ReleaseVisitRow(Struct, frozen=True, kw_only=True, rename="camel"):
    """When a person ran a release for the first time."""

    release_id: str
    person_key: str
    first_at: datetime


class Totals(Struct, frozen=True, kw_only=True, rename="camel"):
    """How many rows of each sort there are."""

    states: int
    links: int
    decisions: int
    impressions: int
    release_visits: int


class Dossier(Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything that is stored about one person, the newest first."""

    person_keys: tuple[str, ...]
    """All keys that are known to be this person."""
    totals: Totals
    complete: bool
    """False where the oldest rows of a sort were left out, because there are too many: `totals` says how many."""
    states: tuple[PersonState, ...]
    links: tuple[LinkRow, ...]
    decisions: tuple[Logged, ...]
    impressions: tuple[ImpressionRow, ...]
    release_visits: tuple[ReleaseVisitRow, ...]


class Erased(Struct, frozen=True, kw_only=True, rename="camel"):
    """How much is gone for good."""

    person_keys: tuple[str, ...]
    """The keys that were this person."""
    totals: Totals


class PersonReply(VisitorState, frozen=True, kw_only=True, rename="camel"):
    """What is known of a person, member by member as `simulate` takes it."""

    export: Dossier | UnsetType = UNSET
    """Everything that is stored about them; only where it was asked for."""


def state_of(person_key: str, state: bytes) -> PersonState:
    """A stored state with its key."""
    return PersonState(person_key=person_key, **asdict(_states.decode(state)))


def reply_of(state: PersonState, export: Dossier | UnsetType) -> PersonReply:
    """The answer to an operator who asks about a person."""
    known = {name: value for name, value in asdict(state).items() if name != "person_key"}
    return PersonReply(export=export, **known)
