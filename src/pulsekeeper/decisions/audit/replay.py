"""Would the same answer be given again? A decision made once more from what was logged of it, held against the log.

That it is the same, to the byte, is what makes the log evidence: nothing but the state, the request, the moment and the
version of the rules went into the answer, and the code still means what it meant then.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from pulsekeeper.decisions.records import Identity
from pulsekeeper.decisions.rules.book import RuleBook
from pulsekeeper.decisions.rules.deciding import Outcome, decide
from pulsekeeper.decisions.rules.model import DecideRequest, VisitorState
from pulsekeeper.decisions.rules.people import Person
from pulsekeeper.decisions.turns import encode_reply

MOST_DIFFERENCES = 100

_states = msgspec.json.Decoder(VisitorState)
_requests = msgspec.json.Decoder(DecideRequest)
_encoder = msgspec.json.Encoder()


class Logged(Struct, frozen=True, kw_only=True, rename="camel"):
    """A decision as the log has it."""

    decision_id: UUID
    decided_at: datetime
    person_key: str
    """The pseudonym."""
    identity: Identity
    rule_book: str
    """The hash of the rules that it was made by."""
    request: Raw
    state_before: Raw | None
    reply: Raw
    """As it was answered, to the byte."""
    reasons: dict[str, str]
    """Each campaign, with the rule that refused it or the reason why it was shown."""


class Difference(Struct, frozen=True, kw_only=True, rename="camel"):
    """One place at which the decision would be another one today."""

    pointer: str
    """A JSON pointer into the logged decision."""
    logged: Raw | UnsetType = UNSET
    """What the log has there; left out where it has nothing."""
    replayed: Raw | UnsetType = UNSET
    """What would be there; left out where nothing would be."""


class Replay(Struct, frozen=True, kw_only=True, rename="camel"):
    """What came of deciding again."""

    identical: bool
    """Whether the reply is the same to the byte, and every campaign has the same reason."""
    differences: tuple[Difference, ...] = ()
    """At most 100 of them."""


def replay(book: RuleBook, logged: Logged) -> Replay:
    """Decide again under the book that is named in the log, and compare the reply and the reasons."""
    outcome = _decided(book, logged)
    reply = encode_reply(logged.decision_id, outcome)
    reasons = {verdict.campaign_id: verdict.reason for verdict in outcome.verdicts}
    found = [
        *_compare("/reply", bytes(logged.reply), reply),
        *_compare("/reasons", _json(logged.reasons), _json(reasons)),
    ]
    return Replay(identical=not found, differences=tuple(found[:MOST_DIFFERENCES]))


def _decided(book: RuleBook, logged: Logged) -> Outcome:
    identity = logged.identity
    person = Person(key=identity.key, kind=identity.kind, authenticated=identity.authenticated, roles=identity.roles)
    before = None if logged.state_before is None else _states.decode(logged.state_before)
    return decide(book, person, before, _requests.decode(logged.request), logged.decided_at.astimezone(UTC))


def _compare(pointer: str, logged: bytes, replayed: bytes) -> Iterator[Difference]:
    """Two documents. Where only the order or the spelling differs, the difference is the whole document."""
    if logged == replayed:
        return
    found = list(_differences(pointer, msgspec.json.decode(logged), msgspec.json.decode(replayed)))
    yield from found or [Difference(pointer=pointer, logged=Raw(logged), replayed=Raw(replayed))]


def _differences(pointer: str, logged: object, replayed: object) -> Iterator[Difference]:
    if isinstance(logged, dict) and isinstance(replayed, dict):
        for name in sorted(logged.keys() | replayed.keys()):
            inner = f"{pointer}/{_escaped(name)}"
            yield from _differences(inner, logged.get(name, UNSET), replayed.get(name, UNSET))
    elif isinstance(logged, list) and isinstance(replayed, list):
        for index in range(max(len(logged), len(replayed))):
            yield from _differences(f"{pointer}/{index}", _at(logged, index), _at(replayed, index))
    elif (one := _raw(logged)) != (other := _raw(replayed)):
        yield Difference(pointer=pointer, logged=one, replayed=other)


def _at(values: list[object], index: int) -> object:
    return values[index] if index < len(values) else UNSET


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _raw(value: object) -> Raw | UnsetType:
    return UNSET if isinstance(value, UnsetType) else Raw(_json(value))


def _json(value: object) -> bytes:
    return _encoder.encode(value)
