"""Asks a server as fast as it answers: keep-alive connections, requests encoded before, replies hardly looked at.

Plain sockets instead of an HTTP client, because the loader shares the machine with what it measures; how much of a core
it takes itself is one of its figures.
"""

import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from time import perf_counter, process_time

import trio
from msgspec import Struct

from benchmarks.measuring import Sample

Address = tuple[str, int]

_PATIENCE = 15.0
"""Seconds for the first answers, and after the end of a round for those that are still due."""
_PIECE = 65536
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_DEGRADED = b'"degraded":true'
_GOOD = range(200, 300)


class Response(Struct, frozen=True):
    """What the loader wants to know of an answer."""

    status: int
    body: bytes
    closes: bool
    """Whether the server ends the connection with it."""


class Connection:
    """A keep-alive connection with one request at a time."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket = socket.socket()
        self._socket.close()

    async def open(self) -> None:
        """Connect, again if need be. Raises `OSError` when nobody listens."""
        self.close()
        with trio.socket.socket() as connecting:
            connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await connecting.connect(self._address)
            self._socket = socket.socket(fileno=connecting.detach())
        self._socket.setblocking(False)

    async def exchange(self, request: bytes) -> Response:
        """Send a request, which fits into the empty buffer of the socket, and read its answer.

        Raises `OSError` when the connection ends first.
        """
        self._socket.sendall(request)
        data = await self._receive()
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += await self._receive()
        head, body = data[:end], data[end + 4 :]
        length = _LENGTH.search(head)
        while len(body) < (int(length[1]) if length else 0):
            body += await self._receive()
        return Response(int(head[9:12]), body, _CLOSE.search(head) is not None)

    def close(self) -> None:
        """Close it, if it is open."""
        self._socket.close()

    async def _receive(self) -> bytes:
        await trio.lowlevel.wait_readable(self._socket)
        data = self._socket.recv(_PIECE)
        if not data:
            raise ConnectionResetError("the server closed the connection before it had answered")
        return data


class _Tally:
    """What one round counts. A good answer has `expected` in it."""

    def __init__(self, expected: bytes) -> None:
        self._expected = expected
        self.latencies: list[float] = []
        self.degraded = 0
        self.errors = 0

    def note(self, seconds: float, response: Response | None) -> None:
        self.latencies.append(seconds)
        if response is None or response.status not in _GOOD or self._expected not in response.body:
            self.errors += 1
        elif _DEGRADED in response.body:
            self.degraded += 1


async def closed_loop(
    address: Address, requests: Iterator[bytes], *, connections: int, seconds: float, expected: bytes = b""
) -> Sample:
    """Keep so many connections busy until the time or the requests are over. The first answer on each does not count.

    An answer that is no success, or has not the `expected` words in its body, counts as an error. Raises `OSError`, in
    a group, when the server cannot be reached any more, and `trio.TooSlowError` when it has stopped answering.
    """
    tally = _Tally(expected)
    with ExitStack() as closing_all:
        opened = [closing_all.enter_context(closing(Connection(address))) for _ in range(connections)]
        for connection in opened:
            await connection.open()
        with trio.fail_after(_PATIENCE):
            await _be_accepted(opened, requests)
        start, cpu = perf_counter(), process_time()
        with trio.fail_after(seconds + _PATIENCE):
            async with trio.open_nursery() as nursery:
                for connection in opened:
                    nursery.start_soon(_keep_asking, connection, requests, tally, start + seconds)
    elapsed, calls = perf_counter() - start, len(tally.latencies)
    return Sample(
        calls=calls,
        elapsed=elapsed,
        latencies=tally.latencies,
        extra={
            "degraded": tally.degraded / calls if calls else 0.0,
            "errors": tally.errors,
            "loader": (process_time() - cpu) / elapsed,
        },
    )


async def _be_accepted(opened: Sequence[Connection], requests: Iterator[bytes]) -> None:
    """A connection that the server has not accepted yet would measure a queue in the kernel."""
    async with trio.open_nursery() as nursery:
        for connection, request in zip(opened, requests, strict=False):
            nursery.start_soon(connection.exchange, request)


async def _keep_asking(connection: Connection, requests: Iterator[bytes], tally: _Tally, end: float) -> None:
    for request in requests:
        start = perf_counter()
        response = await _exchange(connection, request)
        now = perf_counter()
        tally.note(now - start, response)
        if now >= end:
            return
        if response is None or response.closes:
            await connection.open()


async def _exchange(connection: Connection, request: bytes) -> Response | None:
    try:
        return await connection.exchange(request)
    except OSError:
        return None
