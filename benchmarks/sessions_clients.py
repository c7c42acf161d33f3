"""Clients that have a session each, and what they send: signs of life, and events in every way that is understood."""

import gzip
import itertools
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec
from msgspec import Struct

from benchmarks import report, servers
from pulsekeeper.clock import utc_now
from pulsekeeper.ids import uuid7
from pulsekeeper.sessions.key_store import SigningKeyStore
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.records import Claims, Opening
from pulsekeeper.sessions.store import SessionStore
from pulsekeeper.sessions.tokens import sign

ADMIN_KEY = "the-admin-key-of-all-benchmarks"
SHAPES: tuple[tuple[str, dict[str, str | int]], ...] = (
    ("story_opened", {"story": "Button"}),
    ("control_changed", {"control": "size", "value": "large", "count": 3}),
    ("page_navigated", {"page": "docs/getting-started"}),
    ("story_closed", {"story": "Button"}),
)
"""Names and properties of events; they repeat."""

_UNLIMITED = 1_000_000_000
"""The rate limits must not be what is measured."""
_STARTED_AT_ONCE = 1000
_ID = b"00000000-0000-0000-0000-000000000000"

FACTS = {"settings": f"defaults, but sessions.calls_per_second and sessions.starts_per_minute = {_UNLIMITED}"}

Pack = Callable[[bytes, Sequence[bytes]], bytes]
"""Makes the request with a token that tells of events, each of them JSON."""


class Clients(Struct, frozen=True, kw_only=True):
    """A node, alone before a database of its own, and the tokens of open sessions."""

    url: str
    """Of the database."""
    server: servers.Process
    tokens: Sequence[bytes]

    def signs_of_life(self) -> Iterator[bytes]:
        """Of one session after the other, again and again."""
        return itertools.cycle([_request("still-alive", token) for token in self.tokens])

    def ingests(self, pack: Pack, size: int, calls: int) -> Iterator[bytes]:
        """So many calls with so many events each, made before the first is sent. No event is told twice."""
        shapes, tokens = _members(size, utc_now()), itertools.cycle(self.tokens)
        return iter([pack(next(tokens), [_with_id(shape) for shape in shapes]) for _ in range(calls)])


def as_json(token: bytes, events: Sequence[bytes]) -> bytes:
    """One document with the time of sending."""
    return _request("ingest", token, _document(events), b"Content-Type: application/json\r\n")


def as_gzip(token: bytes, events: Sequence[bytes]) -> bytes:
    """The same, compressed."""
    headers = b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n"
    return _request("ingest", token, gzip.compress(_document(events), 6), headers)


def as_lines(token: bytes, events: Sequence[bytes]) -> bytes:
    """One event a line."""
    return _request("ingest", token, b"\n".join(events), b"Content-Type: application/x-ndjson\r\n")


@asynccontextmanager
async def open_clients(folder: Path, url: str, sessions: int) -> AsyncIterator[Clients]:
    """A running node, and sessions that have just been started. `folder` must not exist, `url` is of a database."""
    async with node(folder, url).serving() as server:
        claims = await start_sessions(url, sessions, utc_now())
        yield Clients(url=url, server=server, tokens=await _signed(url, claims))


def node(folder: Path, url: str) -> servers.Node:
    """A server whose limits are out of the way."""
    return servers.Node(
        folder,
        {
            "web": {"bind": "127.0.0.1:0"},
            "database": {"url": url},
            "auth": {"admin_key": ADMIN_KEY},
            "sessions": {"calls_per_second": _UNLIMITED, "starts_per_minute": _UNLIMITED},
        },
    )


async def start_sessions(url: str, count: int, at: datetime) -> Sequence[Claims]:
    """Start so many sessions at a moment, each of a new installation: past any node, in lots."""
    claims: list[Claims] = []
    async with servers.connected(url) as database:
        store = SessionStore(database, Settings())
        with report.preparing("starting sessions", -(-count // _STARTED_AT_ONCE)) as say:
            while len(claims) < count:
                say(f"{len(claims):,} of {count:,}")
                claims += await _start(store, min(_STARTED_AT_ONCE, count - len(claims)), at)
    return claims


async def _start(store: SessionStore, count: int, at: datetime) -> Sequence[Claims]:
    openings = [
        Opening(at=at, session_id=uuid7(at), known_as=None, otherwise=UUID(bytes=secrets.token_bytes(16), version=4))
        for _ in range(count)
    ]
    installations = await store.start(openings)
    return [
        Claims(installation, each.session_id, at) for installation, each in zip(installations, openings, strict=True)
    ]


async def _signed(url: str, claims: Sequence[Claims]) -> Sequence[bytes]:
    """With the key that the node has made when it started."""
    async with servers.connected(url) as database:
        key = (await SigningKeyStore(database).keys())[0]
    return [sign(each, key).encode() for each in claims]


def _members(size: int, now: datetime) -> Sequence[bytes]:
    """Events as JSON, all but the ids."""
    return [
        msgspec.json.encode({"id": _ID.decode(), "name": name, "at": now, "seq": seq, "props": props})
        for seq, (name, props) in enumerate(itertools.islice(itertools.cycle(SHAPES), size))
    ]


def _with_id(event: bytes) -> bytes:
    digits = secrets.token_bytes(16).hex().encode()
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return event.replace(_ID, b"-".join(parts), 1)


def _document(events: Sequence[bytes]) -> bytes:
    return b'{"sentAt":%s,"events":[%s]}' % (msgspec.json.encode(utc_now()), b",".join(events))


def _request(call: str, token: bytes, body: bytes = b"", headers: bytes = b"") -> bytes:
    return (
        b"POST /telemetry/%s HTTP/1.1\r\nHost: benchmark\r\nAuthorization: Bearer %s\r\n%sContent-Length: %d\r\n\r\n%s"
        % (call.encode(), token, headers, len(body), body)
    )
