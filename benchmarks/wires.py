"""Keep-alive connections of a loader, many at once: requests encoded before, replies hardly looked at.

Bare sockets and epoll instead of an HTTP client or Trio, because the loader shares the machine with what it measures.
Everything here blocks, and belongs into a thread.
"""

import re
import select
import socket
from collections.abc import Iterator, Sequence
from typing import Self

from msgspec import Struct

Address = tuple[str, int]

_PATIENCE = 15.0
"""Seconds for connecting."""
_PIECE = 16_384
"""Bytes that are read at once. For much more, the interpreter would ask the kernel for memory each time."""
_COARSE = 0.02
"""Seconds from which on epoll's own timeout, in whole milliseconds, is fine enough."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+) *\r\n", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_END = b"\r\n\r\n"
_MORE = b""


class Response(Struct, frozen=True, gc=False):
    """What a loader wants to know of an answer."""

    status: int
    data: bytes
    """All of it."""
    body_at: int
    """Where its body begins."""
    closes: bool
    """Whether the server ends the connection with it."""

    def has(self, words: bytes) -> bool:
        """Whether they are in the body."""
        return self.data.find(words, self.body_at) >= 0


class Beginning(Struct, frozen=True, gc=False):
    """How an answer has begun, up to the line that tells its length: the next ones mostly begin the same.

    Looking for it again in each of them would take longer than all else that is done with an answer.
    """

    words: bytes
    status: int
    length: int
    """Of the body."""

    def read(self, data: bytes) -> Response | None:
        """The answer, if it begins like this, is complete, and says nothing about its connection."""
        after = len(self.words)
        # In either case, "onnection" is in whatever says that the connection ends.
        end = data.find(_END, after - 2)
        if end < 0 or len(data) < end + 4 + self.length or data.find(b"onnection", after, end) >= 0:
            return None
        return Response(self.status, data, end + 4, False)


class Wire:
    """A keep-alive connection with one request at a time."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket = socket.socket()
        self._socket.close()
        self._data = _MORE
        self._usual: Beginning | None = None

    def open(self) -> None:
        """Connect, again if need be. Raises `OSError` when nobody listens."""
        self.close()
        self._data = _MORE
        self._socket = socket.create_connection(self._address, _PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """By which the kernel knows it; another one each time that it is opened."""
        return self._socket.fileno()

    def send(self, request: bytes) -> None:
        """Send a request, which fits into the socket's empty buffer; the one before has been answered."""
        try:
            self._socket.sendall(request)
        except ConnectionError:
            return  # that it has ended is noticed by whoever reads the answer

    def receive(self) -> Response | None:
        """Read what has come; gives the answer once all of it is there. Raises `OSError` when the connection ends."""
        data = self._socket.recv(_PIECE)
        if not data:
            raise ConnectionResetError("the server closed the connection before it had answered")
        if self._data:
            data = self._data + data
        usual = self._usual
        response = usual.read(data) if usual and data.startswith(usual.words) else None
        if response is None:
            response, self._usual = _parsed(data)
        self._data = _MORE if response else data
        return response

    def close(self) -> None:
        """Close it, if it is open."""
        self._socket.close()


class Wires:
    """Connections that are watched together; each server has the same share of them."""

    def __init__(self, addresses: Sequence[Address], count: int) -> None:
        self._poll = select.epoll()  # first, because `select` takes only small file numbers
        self.all = [Wire(addresses[number % len(addresses)]) for number in range(count)]
        self._by_number: dict[int, Wire] = {}

    def __enter__(self) -> Self:
        """Raises `OSError` when nobody listens."""
        try:
            for wire in self.all:
                self._open(wire)
        except BaseException:  # Ctrl-C as well: what is open would stay so
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for wire in self.all:
            wire.close()
        self._poll.close()

    def answers(self, wait: float) -> Iterator[tuple[Wire, Response | None]]:
        """The answers that are there; where there are none yet, those that are the first to come within `wait` seconds.

        `None` for a connection that has ended instead. Such ones are open again.
        """
        if 0 < wait < _COARSE:
            select.select([self._poll], [], [], wait)
            wait = 0
        for number, _ in self._poll.poll(wait):
            wire = self._by_number[number]
            try:
                response = wire.receive()
            except OSError:
                self._open(wire)
                yield wire, None
                continue
            if response is not None:
                if response.closes:
                    self._open(wire)
                yield wire, response

    def _open(self, wire: Wire) -> None:
        self._by_number.pop(wire.fileno(), None)
        wire.open()
        self._by_number[wire.fileno()] = wire
        self._poll.register(wire, select.EPOLLIN)


def _parsed(data: bytes) -> tuple[Response | None, Beginning | None]:
    """The answer, if it is complete, and how the next may begin."""
    end = data.find(_END)
    if end < 0:
        return None, None
    length = _LENGTH.search(data, 0, end + 2)
    if length and len(data) < end + 4 + int(length[1]):
        return None, None
    response = Response(int(data[9:12]), data, end + 4, _CLOSE.search(data, 0, end) is not None)
    if length is None or response.closes:
        return response, None
    return response, Beginning(data[: length.end()], response.status, int(length[1]))
