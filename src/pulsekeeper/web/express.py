"""The express lane: the hot calls, answered on the connection itself.

It takes a request only when it understands every byte of it: plain HTTP/1.1 (see `plain`) to one of its own endpoints.
All others go, untouched, to Hypercorn and Quart. Both doors lead through the same gate to the same handler, so the lane
decides on nothing but how bytes become a request and a reply becomes bytes.
"""

from collections.abc import Iterable
from email.utils import formatdate
from math import inf

import trio
from msgspec import Struct

from pulsekeeper.clock import Clock
from pulsekeeper.web import headers
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.gate import Gate
from pulsekeeper.web.plain import LONGEST_HEAD, Head, Names, head_of, written
from pulsekeeper.web.wire import Headers, Request


class Call(Struct, frozen=True):
    """A complete request for the lane."""

    endpoint: Endpoint
    head: Head
    body: bytes

    @property
    def length(self) -> int:
        """How many bytes it takes."""
        return self.head.length + self.head.body_length


class Unfinished(Struct, frozen=True):
    """The beginning of a request that may become one for the lane."""

    needed: int
    """How many bytes there must be before it is worth another look."""


class Lane:
    """What the lane's connections share."""

    def __init__(self, endpoints: Iterable[Endpoint], gate: Gate, clock: Clock) -> None:
        self._endpoints = {(each.method.encode(), each.path.encode()): each for each in endpoints if each.express}
        self._starts = tuple({method + b" " + path for method, path in self._endpoints})
        self._names = Names()
        self._gate = gate
        self._clock = clock
        self._dated_at = -inf
        self._date = b""

    def look(self, data: bytes) -> Call | Unfinished | None:
        """What stands at the beginning of the data; `None` when that is not for the lane."""
        if not data.startswith(self._starts):
            is_beginning = any(start.startswith(data) for start in self._starts)
            return Unfinished(len(data) + 1) if is_beginning else None
        end = data.find(b"\r\n\r\n", 0, LONGEST_HEAD)
        if end < 0:
            return Unfinished(len(data) + 1) if len(data) < LONGEST_HEAD else None
        head = head_of(data, end, self._names)
        endpoint = None if head is None else self._endpoints.get((head.method, head.path))
        if head is None or endpoint is None or head.body_length > (endpoint.max_body if endpoint.takes_body else 0):
            return None
        length = head.length + head.body_length
        if len(data) < length:
            return Unfinished(length)
        return Call(endpoint, head, data[head.length : length])

    async def answer(self, call: Call, peer: str, *, close: bool) -> bytes:
        """The reply, ready to be sent. Raises nothing but cancellation."""
        raw = Headers(call.head.fields)
        request = Request(
            method=call.endpoint.method,
            path=call.endpoint.path,
            query_string=call.head.query,
            headers=raw,
            body=call.body,
            peer=peer,
            request_id=headers.request_id(raw.get("x-request-id"), self._clock),
        )
        return written(await self._gate.answer(call.endpoint, request), self._today(), close=close)

    def _today(self) -> bytes:
        now = trio.current_time()
        if now - self._dated_at >= 1.0:
            self._dated_at, self._date = now, formatdate(self._clock().timestamp(), usegmt=True).encode()
        return self._date
