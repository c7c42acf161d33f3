"""Which events of a call are fit to be stored, as what, and why the others are not. Pure, and the hot path.

Every event is read twice at most. The quick reading is one decoder in C that takes nothing but what needs no second
look; it gives an event or gives up. The careful reading takes an event apart to find the first thing that is wrong with
it, or that it is good all the same. They agree on every event that the quick one takes, and only the careful one ever
refuses.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, Struct

from pulsekeeper.errors import Fault, Invalid
from pulsekeeper.sessions import fields
from pulsekeeper.sessions.fields import LONGEST_STRING, MOST_KEYS, UNREADABLE, Id, Integer, Key, Moment, Number, Unfit
from pulsekeeper.sessions.model import Reason, Refusal, Settings
from pulsekeeper.sessions.names import LONGEST_NAME, denied_keys, event_name, plain_key
from pulsekeeper.sessions.packing import Call
from pulsekeeper.sessions.records import Event

TRUSTED_SKEW = timedelta(hours=23)
"""A client's clock that is wrong by less is believed about how long ago something was; by more, not even that."""

_JUST_NOW = timedelta()
_NUL = b"\\u0000"
_NULL = Raw(b"null")


class Judged(Struct, frozen=True):
    """What is to become of a call's events. Each of them is either in `events` or in `refusals`."""

    events: tuple[Event, ...]
    places: tuple[int, ...]
    """Where in the call each event stood, from 0."""
    refusals: tuple[Refusal, ...]
    acted: bool
    """Whether any of the events is more than the handshake's own."""


_ShortScalar = Annotated[str, Meta(max_length=LONGEST_STRING)] | Integer | float | bool | None


class _Quick(Struct, gc=False):
    """An event that needs no second look, apart from its names. JSON has no cycles that a collector could find."""

    id: Id
    name: Annotated[str, Meta(max_length=LONGEST_NAME)]
    at: Moment | None = None
    seq: Number | None = None
    props: Annotated[dict[Key, _ShortScalar], Meta(max_length=MOST_KEYS)] | None = None


class _Parts(Struct):
    """An event of which only the outer braces are read."""

    id: Raw = _NULL
    name: Raw = _NULL
    at: Raw = _NULL
    seq: Raw = _NULL
    props: Raw = _NULL


_decode_quick = msgspec.json.Decoder(_Quick).decode
_decode_parts = msgspec.json.Decoder(_Parts).decode
_encode = msgspec.json.Encoder(order="deterministic").encode


class Judge:
    """Knows the rules: how old an event may be, and what a property must not be called."""

    def __init__(self, settings: Settings) -> None:
        self._early = settings.early
        self._denied = denied_keys(settings.denied_properties)
        self._own = frozenset(settings.own_events)

    def __call__(self, call: Call, received: datetime) -> Judged:
        """Judge the events of a call that was received at this moment, in UTC.

        An event's age is counted from the time of sending, where that is known and less than 23 hours from the receipt,
        and otherwise from the receipt. It happened that long before its receipt, and never after it; without a time of
        its own it happened at the receipt.

        Raises `Invalid` when the time of sending is there and cannot be read: all events would be misdated.
        """
        reference = _reference(call.sent_at, received)
        events: list[Event] = []
        places: list[int] = []
        refusals: list[Refusal] = []
        for place, member in enumerate(call.members):
            verdict = self._quickly(member, received, reference) or self._carefully(member, received, reference, place)
            if isinstance(verdict, Event):
                events.append(verdict)
                places.append(place)
            else:
                refusals.append(verdict)
        acted = any(event.name not in self._own for event in events)
        return Judged(tuple(events), tuple(places), tuple(refusals), acted)

    def _quickly(self, member: Raw, received: datetime, reference: datetime) -> Event | None:
        try:
            sent = _decode_quick(member)
            identifier = msgspec.convert(sent.id, UUID)
            raw_at = sent.at if sent.at is None or sent.at.tzinfo is UTC else sent.at.astimezone(UTC)
        except (*UNREADABLE, OverflowError):
            return None
        name, props = event_name(sent.name), sent.props
        if name is None or (props and not self._denied.isdisjoint(map(plain_key, props))):
            return None
        encoded = _encode(props) if props else None
        if encoded is not None and _NUL in encoded:
            return None  # perhaps for nothing: a backslash and four noughts look like one
        age = reference - raw_at if raw_at is not None and raw_at < reference else _JUST_NOW
        if age > self._early:
            return None
        return Event(identifier, name, received - age, raw_at, sent.seq, encoded, False)

    def _carefully(self, member: Raw, received: datetime, reference: datetime, place: int) -> Event | Refusal:
        parts = _taken_apart(member)
        try:
            return self._put_together(parts, received, reference)
        except Unfit as unfit:
            return Refusal(place, fields.echo(parts.id), unfit.reason)

    def _put_together(self, parts: _Parts, received: datetime, reference: datetime) -> Event:
        """Raises `Unfit` with the first thing that is wrong: the order here is the order in which clients are told."""
        identifier, name = fields.identifier(parts.id), fields.name(parts.name)
        raw_at, seq = fields.moment(parts.at), fields.number(parts.seq)
        given = fields.properties(parts.props)
        if not self._denied.isdisjoint(map(plain_key, given)):
            raise Unfit(Reason.PII_KEY)
        age = reference - raw_at if raw_at is not None and raw_at < reference else _JUST_NOW
        if age > self._early:
            raise Unfit(Reason.TOO_EARLY)
        props = {key: fields.cut(value) for key, value in given.items()}
        encoded = _encode(props) if props else None
        return Event(identifier, name, received - age, raw_at, seq, encoded, props != given)


def _reference(sent_at: Raw | None, received: datetime) -> datetime:
    """What the age of events is counted from: the client's own now, unless its clock is far off."""
    try:
        sent = None if sent_at is None else fields.moment(sent_at)
    except Unfit:
        detail = "expected a time in ISO 8601 with a zone, such as 2026-11-22T10:00:00Z"
        raise Invalid(f"/sentAt: {detail}", [Fault("/sentAt", detail)]) from None
    return sent if sent is not None and abs(received - sent) < TRUSTED_SKEW else received


def _taken_apart(member: Raw) -> _Parts:
    try:
        return _decode_parts(member)
    except UNREADABLE:
        return _Parts()  # what is no object has no id
