"""The express lane: the hot calls, answered on the connection itself.

It takes a request only when it understands every byte of it: plain HTTP/1.1 (see `plain`) to one of its own endpoints.
All others go, untouched, to Hypercorn and Quart. Both doors lead through the same gate to the same handler, so the lane
decides on nothing but how bytes become a request and a reply becomes bytes.
"""

from collections.abc import Iterable

from msgspec import Struct

from pulsekeeper.clock import Clock
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.gate import Gate
from pulsekeeper.web.headers import request_id
from pulsekeeper.web.plain import LONGEST_HEAD, Head, Names, head_of
from pulsekeeper.web.wire import Headers, Request
from pulsekeeper.web.writing import Writer


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
        self._endpoints = {
            (each.method.encode(), each.path.encode()): (each, each.max_body if each.takes_body else 0)
            for each in endpoints
            if each.express
        }
        """Each with the longest body that it takes."""
        self._starts = tuple({method + b" " + path for method, path in self._endpoints})
        self._names = Names()
        self._gate = gate
        self._writer = Writer(gate.headers, clock)

    def look(self, data: bytes) -> Call | Unfinished | None:
        """What stands at the beginning of the data; `None` when that is not for the lane."""
        if not data.startswith(self._starts):
            is_beginning = any(start.startswith(data) for start in self._starts)
            return Unfinished(len(data) + 1) if is_beginning else None
        end = data.find(b"\r\n\r\n", 0, LONGEST_HEAD)
        if end < 0:
            return Unfinished(len(data) + 1) if len(data) < LONGEST_HEAD else None
        head = head_of(data, end, self._names)
        found = None if head is None else self._endpoints.get((head.method, head.path))
        if head is None or found is None or head.body_length > found[1]:
            return None
        length = head.length + head.body_length
        if len(data) < length:
            return Unfinished(length)
        return Call(found[0], head, data[head.length : length])

    async def answer(self, call: Call, peer: str, *, close: bool) -> bytes:
        """The reply, ready to be sent. Raises nothing but cancellation, and for a handler that gives a stream."""
        endpoint, raw = call.endpoint, Headers(call.head.fields)
        request = Request(
            method=endpoint.method,
            path=endpoint.path,
            query_string=call.head.query,
            headers=raw,
            body=call.body,
            peer=peer,
            request_id=request_id(raw.get("x-request-id")),
        )
        reply = await self._gate.bare_answer(endpoint, request)
        assert reply.stream is None, f"{endpoint.path} is express, and those have no streams"  # noqa: S101  # a bug
        return self._writer.write(reply, request, public=endpoint.public, close=close)
