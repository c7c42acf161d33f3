"""The clients' connections: at most so many, none that stalls us for ever, all of them closed when time is up."""

import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

import trio

_PIECE = 64 * 1024
"""Bytes that are taken in at once, unless somebody wants fewer."""
_RESET = struct.pack("ii", 1, 0)
"""As the option `SO_LINGER` wants it: closing throws away what is not sent, and says so to the other side."""


class Connection(trio.abc.HalfCloseableStream):
    """A client's socket on which sending has an end.

    Hypercorn shields its sending from cancellation, so a client that takes nothing in would hold a connection, and
    with it a shutdown, for as long as it likes.

    Small requests and replies go past Trio's own stream, straight to the system: its care for every case takes longer
    than answering. The descriptor is asked for anew each time, as it is somebody else's once the socket is closed.
    """

    def __init__(self, stream: trio.SocketStream, patience: float, on_close: Callable[["Connection"], None]) -> None:
        """`patience` is how many seconds the client may take to take in one piece of an answer."""
        self.socket = stream.socket
        self._stream = stream
        self._patience = patience
        self._on_close = on_close
        self.on_leave: Callable[[], None] = _do_nothing
        """Called when the server is about to end: whoever only waits for a request should not."""
        self._sending = trio.Lock()  # Hypercorn has one, but ends the stream without asking it

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """As a socket does. Closes, and raises `trio.BrokenResourceError`, when the client takes it in too slowly."""
        with trio.move_on_after(self._patience) as patience:
            async with self._sending:
                await self._stream.send_all(data)
        if patience.cancelled_caught:
            self.abort()
            raise trio.BrokenResourceError("the client does not read")

    def send_nowait(self, data: bytes) -> int:
        """Send what goes without waiting, and give the number of bytes; none of them while somebody else is sending.

        Raises `trio.BrokenResourceError` or `trio.ClosedResourceError` as sending does. It is no checkpoint.
        """
        if self._sending.locked():
            return 0
        try:
            return os.write(self._descriptor(), data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise trio.BrokenResourceError("the client has gone") from error

    async def wait_send_all_might_not_block(self) -> None:
        """As a socket does."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """As a socket does."""
        while True:
            await trio.lowlevel.wait_readable(self._descriptor())
            try:
                return os.read(self._descriptor(), max_bytes or _PIECE)
            except BlockingIOError:
                continue  # a false alarm
            except OSError as error:
                raise trio.BrokenResourceError("the client has gone") from error

    async def send_eof(self) -> None:
        """As a socket does."""
        async with self._sending:
            await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close, and make room for the next client."""
        self._on_close(self)
        await self._stream.aclose()

    def abort(self) -> None:
        """Reset it at once. Whoever is sending or receiving gets `trio.ClosedResourceError`, shielded or not.

        An ordered close would make an HTTP/1.0 client, such as a proxy, take what it has got for the whole answer.
        """
        self._on_close(self)
        with suppress(OSError):  # it is closed already
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.socket.close()

    def _descriptor(self) -> int:
        number = self.socket.fileno()
        if number < 0:
            raise trio.ClosedResourceError("the connection is closed")
        return number


class Connections:
    """All that are open. When there are as many as there may be, further clients wait in the system's queue."""

    def __init__(self, most: int, patience: float) -> None:
        self._slots = trio.Semaphore(most)
        self._patience = patience
        self._open: set[Connection] = set()
        self._none_left = trio.Event()

    def __len__(self) -> int:
        return len(self._open)

    async def accept(self, listener: trio.SocketListener) -> Connection:
        """Wait for room, then for a client."""
        await self._slots.acquire()
        try:
            stream = await listener.accept()
        except BaseException:
            self._slots.release()
            raise
        connection = Connection(stream, self._patience, self._forget)
        self._open.add(connection)
        return connection

    async def wait_none_left(self) -> None:
        """Return when the last one is closed. Nobody may be accepting any more."""
        if self._open:
            self._none_left = trio.Event()
            await self._none_left.wait()
        else:
            await trio.lowlevel.checkpoint()

    def leave_all(self) -> None:
        """Tell everybody that the server is about to end."""
        for connection in tuple(self._open):
            connection.on_leave()

    def abort_all(self) -> None:
        """Close those that are left, whatever they are doing."""
        for connection in tuple(self._open):
            connection.abort()

    def _forget(self, connection: Connection) -> None:
        if connection in self._open:
            self._open.remove(connection)
            self._slots.release()
            if not self._open:
                self._none_left.set()


def _do_nothing() -> None:
    pass


class BoundedListener(trio.abc.Listener[Connection]):
    """Gives the clients of one listening socket, as far as there is room for them."""

    def __init__(self, listener: trio.SocketListener, connections: Connections) -> None:
        self._listener = listener
        self._connections = connections

    async def accept(self) -> Connection:
        """The next client."""
        return await self._connections.accept(self._listener)

    async def aclose(self) -> None:
        """Stop listening."""
        await self._listener.aclose()
