"""From what a program says to an event, and from events to the body of a call. Pure."""

import gzip
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from pulsekeeper.client.model import LONGEST_LABEL, MOST_EVENT_BYTES, Kind, Options, Request

Scalar = str | int | float | bool | None
"""What a property may be."""
PACKED_FROM = 1024
"""Bytes from which on a body is sent gzipped."""
ENVELOPE = 64
"""Bytes of a body that are not events, at most."""
OVERHEAD = 32
"""Bytes that an event gets on top in a body, at most: its number, and a comma."""
_LEVEL = 5

_encode = msgspec.json.Encoder().encode


class BadEvent(Exception):
    """What was said cannot be sent. `reason` is in the service's words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Event(msgspec.Struct, frozen=True, omit_defaults=True):
    id: UUID
    name: str
    at: datetime
    props: Mapping[str, Scalar] = {}


def event_of(event_id: UUID, name: str, at: datetime, props: Mapping[str, Scalar]) -> bytes:
    """One event as JSON, without its number. Raises `BadEvent`; the service's finer rules are left to the service."""
    if not isinstance(name, str) or not name:
        raise BadEvent("bad_name")
    if any(not isinstance(value, str | int | float | bool | None) for value in props.values()):
        raise BadEvent("bad_props")
    try:
        event = _encode(_Event(event_id, name, at, props))
    except (TypeError, ValueError, OverflowError):
        raise BadEvent("bad_props") from None
    if len(event) > MOST_EVENT_BYTES:
        raise BadEvent("too_large")
    return event


def start_request(options: Options, installation_id: str | None, consent_version: str | None) -> Request:
    """A call that starts a session."""
    members: Mapping[str, str | bool | None] = {
        "installationId": installation_id,
        "consentVersion": _label(consent_version),
        "appVersion": _label(options.app_version),
        "platform": _label(options.platform),
        "timezone": _label(options.timezone),
        "replace": options.replace,
    }
    body = _encode({name: value for name, value in members.items() if value is not None})
    return _request(options, Kind.START, None, body)


def ingest_request(
    options: Options, token: str | None, rows: Sequence[tuple[int, bytes]], sent_at: datetime
) -> Request:
    """A call with events. Their numbers in the queue are their order in the session: `seq`.

    The numbers go on over the sessions, so an event that is sent in a later one than it happened in comes first there.
    """
    numbered = b",".join(b'{"seq":%d,%b' % (number, event[1:]) for number, event in rows)
    body = b'{"sentAt":%b,"events":[%b]}' % (_encode(sent_at), numbered)
    return _request(options, Kind.INGEST, token, body, rows)


def withdraw_request(options: Options, token: str | None, *, erase: bool) -> Request:
    """A call that says that the user does not agree any more."""
    return _request(options, Kind.WITHDRAW, token, _encode({"erase": erase}))


def bare_request(options: Options, kind: Kind, token: str | None) -> Request:
    """A call that says no more than whose session it is about."""
    return _request(options, kind, token)


def _request(
    options: Options, kind: Kind, token: str | None, body: bytes = b"", rows: Sequence[tuple[int, bytes]] = ()
) -> Request:
    """Bodies go out gzipped where that is worth it."""
    headers = {"Content-Type": "application/json"} if body else {}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if len(body) >= PACKED_FROM:
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, _LEVEL, mtime=0)
    url = f"{options.url.rstrip('/')}/telemetry/{kind}"
    return Request(kind=kind, url=url, headers=headers, body=body, rows=rows)


def _label(text: str | None) -> str | None:
    """As the service takes it: without control characters, and not too long. A start must not fail by a long name."""
    if text is None:
        return None
    return "".join(character for character in text if character.isprintable())[:LONGEST_LABEL]
