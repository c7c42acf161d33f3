"""The members of an event, each read by itself: what is there, or the reason why the event is not taken. Pure.

For what the quick reading of `judging` has given up on; whatever it takes, these take too, and read the same.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta, Raw

from pulsekeeper.sessions.model import Reason
from pulsekeeper.sessions.names import LONGEST_KEY, event_name

MOST_KEYS = 40
LONGEST_STRING = 512
"""Characters of a property's value. What is longer is cut."""
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not JSON, not UTF-8, not of the type, or nested too deeply."""

Id = Annotated[str, Meta(min_length=36, max_length=36)]
"""A UUID with its hyphens. Without the length it could also be written without them."""
Moment = Annotated[datetime, Meta(tz=True)]
Key = Annotated[str, Meta(min_length=1, max_length=LONGEST_KEY)]
Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Scalar = str | Integer | float | bool | None

_LONGEST_ECHO = 64
_decode_text = msgspec.json.Decoder(str).decode
_decode_id = msgspec.json.Decoder(Id).decode
_decode_moment: msgspec.json.Decoder[datetime | None] = msgspec.json.Decoder(Moment | None)
_decode_number: msgspec.json.Decoder[int | None] = msgspec.json.Decoder(Number | None)
_decode_props: msgspec.json.Decoder[dict[str, Scalar] | None] = msgspec.json.Decoder(
    Annotated[dict[Key, Scalar], Meta(max_length=MOST_KEYS)] | None
)


class Unfit(Exception):
    """A member because of which its event is not taken."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def echo(raw: Raw) -> str | None:
    """An id as it is told to the client, whether it is one or not; cut if it is very long, `None` if it is no text."""
    try:
        return _decode_text(raw)[:_LONGEST_ECHO]
    except UNREADABLE:
        return None


def identifier(raw: Raw) -> UUID:
    """A UUID in its canonical form, of any version and case. Raises `Unfit`."""
    try:
        return msgspec.convert(_decode_id(raw), UUID)
    except UNREADABLE:
        raise Unfit(Reason.BAD_ID) from None


def name(raw: Raw) -> str:
    """The name of an event, as it is stored. Raises `Unfit`."""
    try:
        understood = event_name(_decode_text(raw))
    except UNREADABLE:
        understood = None
    if understood is None:
        raise Unfit(Reason.BAD_NAME)
    return understood


def moment(raw: Raw) -> datetime | None:
    """A time in UTC. RFC 3339 is read first, and then whatever else of ISO 8601 Python knows. Raises `Unfit`."""
    try:
        read = _decode_moment.decode(raw)
    except UNREADABLE:
        read = _unusual_moment(raw)
    try:
        return None if read is None else read.astimezone(UTC)
    except OverflowError:  # the first or the last day of all, in another zone
        raise Unfit(Reason.BAD_TIME) from None


def number(raw: Raw) -> int | None:
    """The place of an event in its session. Raises `Unfit`."""
    try:
        return _decode_number.decode(raw)
    except UNREADABLE:
        raise Unfit(Reason.BAD_TIME) from None


def properties(raw: Raw) -> Mapping[str, Scalar]:
    """As they were sent, with nothing cut yet; empty where there are none. Raises `Unfit`."""
    try:
        read = _decode_props.decode(raw) or {}
    except UNREADABLE:
        raise Unfit(Reason.BAD_PROPS) from None
    texts = [*read, *(value for value in read.values() if isinstance(value, str))]
    if any("\0" in text for text in texts):
        raise Unfit(Reason.BAD_PROPS)
    return read


def cut(value: Scalar) -> Scalar:
    """The same, if it is a string no longer than may be stored."""
    return value[:LONGEST_STRING] if isinstance(value, str) else value


def _unusual_moment(raw: Raw) -> datetime:
    try:
        read = datetime.fromisoformat(_decode_text(raw))
    except (*UNREADABLE, ValueError):
        raise Unfit(Reason.BAD_TIME) from None
    if read.tzinfo is None:
        raise Unfit(Reason.BAD_TIME)
    return read
