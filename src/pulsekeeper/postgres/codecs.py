"""Values on the wire, where what asyncpg would make of them does not suit: its binary formats, both ways.

JSON passes through, for the rooms decode it straight into their Structs. A UUID is `uuid.UUID` itself: what asyncpg has
in its place only looks like it, which msgspec notices.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

_JSONB_VERSION = b"\x01"


def _to_json(document: bytes | str) -> bytes:
    return document.encode() if isinstance(document, str) else bytes(document)


def _to_jsonb(document: bytes | str) -> bytes:
    return _JSONB_VERSION + _to_json(document)


def _from_jsonb(wire: bytes) -> bytes:
    return wire[1:]


def _to_uuid(value: UUID | str) -> bytes:
    return (UUID(value) if isinstance(value, str) else value).bytes


def _from_uuid(wire: bytes) -> UUID:
    return UUID(bytes=wire)


CODECS: dict[str, tuple[Callable[[Any], bytes], Callable[[bytes], object]]] = {  # each takes what a store passes
    "json": (_to_json, bytes),
    "jsonb": (_to_jsonb, _from_jsonb),
    "uuid": (_to_uuid, _from_uuid),
}
"""By type: from Python to the wire, and back."""
