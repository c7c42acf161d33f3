"""The straight way to the server: the task that asks a statement reads the reply from the socket itself.

asyncpg runs on an asyncio loop, and every crossing into one costs several times what the statement does. But asyncpg
needs asyncio for nothing more than bytes and futures. So a connection is opened on the loop, and from then on nobody
reads there: a statement runs in its Trio task, the future that it waits for reads until it has its result, and what it
writes goes to the socket as before, with the loop's help when the kernel's buffer is full.

Whatever is not a statement on its way (a cancelled one that has to be stopped, COPY, LISTEN, saying goodbye) goes over
the loop, which reads again for as long as it takes. So does everything on a connection with TLS.
"""

import os
import select
from asyncio import Future
from collections.abc import Callable, Generator
from typing import Any, Protocol

import trio

_READ = 65_536
"""Bytes to read at once: more than most replies have, less than what malloc asks the kernel for each time."""


class _Loop(Protocol):
    """The part of an asyncio loop that a line stands before."""

    def create_future(self) -> "Future[Any]": ...


class _Transport(Protocol):
    """The part of asyncio's transport that is used here."""

    def get_extra_info(self, name: str) -> Any: ...  # the name decides on the type
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def abort(self) -> None: ...


class _Protocol(Protocol):
    """The part of asyncpg's protocol that is used here."""

    def data_received(self, data: bytes) -> None: ...
    def connection_lost(self, error: Exception | None) -> None: ...
    def is_connected(self) -> bool: ...
    def _is_cancelling(self) -> bool: ...


class Raw(Protocol):
    """The part of asyncpg's connection that is used here."""

    _loop: Any
    _transport: _Transport
    _protocol: _Protocol


class Line:
    """One connection's socket. For asyncpg it is the loop, except that its futures may be awaited in Trio."""

    def __init__(self, loop: _Loop) -> None:
        self._loop = loop
        self._straight = False
        self._waiting = False

    def __getattr__(self, name: str) -> Any:  # asyncpg's view: everything else is the loop's
        return getattr(self._loop, name)

    def create_future(self) -> "Reply | Future[Any]":
        """What asyncpg waits for next: on the straight way a reply, on the loop its own future."""
        return Reply(self) if self._straight else self._loop.create_future()

    def attach(self, raw: Raw) -> None:
        """Begin with a connection that is open and at rest."""
        # No public way leads to these three. The tests name them, and everything else that has to stay as it is.
        raw._loop = self._loop  # noqa: SLF001  # asyncpg shows it to asyncio, to be told what task it is in
        self._transport = transport = raw._transport  # noqa: SLF001
        self._protocol = raw._protocol  # noqa: SLF001
        self._has_straight_way = transport.get_extra_info("ssl_object") is None
        self._fd: int = transport.get_extra_info("socket").fileno()
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def go_straight(self) -> bool:
        """Have the next statement run in its own task; False when it has to cross to the loop."""
        if not self._straight and self._has_straight_way and self._is_at_rest():
            self._transport.pause_reading()
            self._straight = True
        return self._straight

    def go_by_loop(self, *, for_good: bool = False) -> None:
        """Have the loop read again, for what has to cross; `for_good` for who wants to hear what the server says."""
        if for_good:
            self._has_straight_way = False
        if self._straight:
            self._straight = False
            self._transport.resume_reading()

    def catch_up(self) -> None:
        """Take in what the server said while nobody listened: notices, new settings, or that it is gone."""
        while self._straight and self._poll.poll(0) and self._protocol.is_connected():
            self._read()

    async def read_until_done(self, reply: "Reply") -> None:
        """Hand what comes to asyncpg until `reply` is there. Cancelled, it has the server stop the statement."""
        try:
            while not reply.done():
                self._waiting = True
                try:
                    await trio.lowlevel.wait_readable(self._fd)
                except trio.ClosedResourceError:
                    continue  # woken: the loop has found out before us that the connection is lost
                finally:
                    self._waiting = False
                self._read()
        except BaseException:  # mostly a cancellation: whatever it is, the statement must not go on unread
            self.go_by_loop()
            reply.cancel()
            raise

    def wake(self) -> None:
        """Let the task that waits for the socket look at its reply, which did not come from there."""
        if self._waiting:
            trio.lowlevel.notify_closing(self._fd)

    def _is_at_rest(self) -> bool:
        return self._protocol.is_connected() and not self._protocol._is_cancelling()  # noqa: SLF001

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _READ)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error)
            return
        if data:
            self._protocol.data_received(data)
        else:
            self._lose(None)

    def _lose(self, error: OSError | None) -> None:
        self._protocol.connection_lost(error)
        self._transport.abort()


class Reply:
    """The future of a statement that runs on the straight way: whoever awaits it reads it from the socket."""

    __slots__ = ("_cancelled", "_completed", "_done", "_error", "_line", "_value")

    def __init__(self, line: Line) -> None:
        self._line = line
        self._done = False
        self._cancelled = False
        self._error: BaseException | None = None
        self._value: object = None

    def add_done_callback(self, completed: Callable[["Reply"], object]) -> None:
        """Remember what asyncpg does about a cancellation. It has nothing to do when a reply just comes."""
        self._completed = completed

    def done(self) -> bool:
        """Whether there is a result, an error, or a cancellation."""
        return self._done

    def cancelled(self) -> bool:
        """Whether nobody waits any more."""
        return self._cancelled

    def set_result(self, value: object) -> None:
        """The statement has ended well."""
        self._value = value
        self._done = True
        self._line.wake()

    def set_exception(self, error: BaseException) -> None:
        """The statement has failed, or the connection has."""
        self._error = error
        self._done = True
        self._line.wake()

    def cancel(self) -> None:
        """Give up. asyncpg has the server asked to stop the statement, on another connection."""
        if not self._done:
            self._done = self._cancelled = True
            self._completed(self)

    def __await__(self) -> Generator[Any, Any, object]:
        if not self._done:
            yield from self._line.read_until_done(self).__await__()
        if self._error is not None:
            raise self._error
        return self._value
