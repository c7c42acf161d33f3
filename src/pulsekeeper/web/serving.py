"""One connection: what the express lane takes, and what is Hypercorn's, with the bounds that it lacks.

Relies on the inside of Hypercorn 0.18, which is why its version is pinned: its `TCPServer` has no place to put these.

HTTP/1.1 only, also over TLS: in Hypercorn's HTTP/2 a client that grants no flow-control window holds its streams for
ever, and nothing is lost, because a reverse proxy that speaks HTTP/2 to browsers speaks HTTP/1.1 to us anyway.
"""

import math
from contextlib import suppress

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import MAX_RECV, TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr

from pulsekeeper.errors import Overloaded
from pulsekeeper.web.app import App
from pulsekeeper.web.connections import Connection
from pulsekeeper.web.express import Call, Unfinished
from pulsekeeper.web.http11 import Http11
from pulsekeeper.web.uploads import Upload
from pulsekeeper.web.waiting import ClientWait

_LINGER = 1.0
"""Seconds for which we go on reading after a refusal: closing with unread bytes would reset the connection unread."""
_MOMENT = 1.0
"""Seconds in which a request for the lane has to arrive. Whoever is slower is served by Hypercorn, and waited for."""
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError)


class HttpConnection(TCPServer):
    """One connection, from its first byte to its last.

    Whatever is plain and hot is answered right here, by the lane. The first request that is not makes a `protocol`, and
    gets all of its bytes; between two of its requests the lane may take others again.
    """

    protocol: Http11 | None  # type: ignore[assignment]  # nothing else is spoken here, and not always
    stream: trio.SSLStream[Connection] | Connection  # type: ignore[assignment]  # Hypercorn names TLS over sockets only

    def __init__(
        self,
        app: App,
        config: Config,
        context: WorkerContext,
        stream: trio.SSLStream[Connection] | Connection,
    ) -> None:
        super().__init__(ASGIWrapper(app), config, context, ConnectionState({}), stream)  # type: ignore[arg-type]  # as above
        self.protocol = None
        self._connection = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
        self._connection.on_leave = self._connection.abort  # while hands are shaken nothing has been asked
        self._is_plain = stream is self._connection
        self._lane = app.lane
        self._uploads = app.uploads
        self._refuse = app.refuse
        self._patience = config.ssl_handshake_timeout
        self._reading = ClientWait(config.keep_alive_timeout)
        """Cancelled on closing: Hypercorn's reader may be waiting for the end of a reply to a client that has left."""
        self._held = b""
        """The beginning of a request that the lane may take."""
        self._needed = 0
        """How many bytes of it there must be before it is worth a look."""
        self._is_begun = False
        """Whether the deadline is that of a request which has begun."""
        self._head_due = math.inf
        """When Hypercorn must have the whole of the head that it is reading."""
        self._is_answering = False
        self._is_leaving = False
        self._answered = 0
        self._nobody_reads = False

    async def run(self) -> None:
        """Serve it until either side is done. Raises nothing that a client can cause."""
        try:
            if isinstance(self.stream, trio.SSLStream):
                with trio.fail_after(self._patience):
                    await self.stream.do_handshake()
            self._connection.on_leave = self._leave
            self._note_addresses()
            with Upload(self._uploads) as self._upload:
                async with TaskGroup() as self._task_group:
                    self._task_group.spawn(self._reading.watch)
                    while await self._read_for_a_while():
                        pass
                    await self._finish()
        except (OSError, trio.BrokenResourceError, trio.TooSlowError):
            pass  # the client is gone, or its handshake failed
        finally:
            await self._close()

    async def protocol_send(self, event: Event) -> None:
        """Hypercorn's, but a connection that the client has left is not kept alive for the next request."""
        if not (self._nobody_reads and isinstance(event, Updated)):
            await super().protocol_send(event)

    async def _read_for_a_while(self) -> bool:
        """True when the lane has held something for too long: then it is for Hypercorn, who knows how to wait."""
        with self._reading.begin():
            if self._held:
                await self._hand_over(b"")
            await self._read_data()
        return self._reading.is_late and bool(self._held)

    async def _read_data(self) -> None:
        """Give what arrives to whom it is for."""
        if self._is_ours():
            self._wait_for_a_request()
        while True:
            try:
                data = bytes(await self.stream.receive_some(MAX_RECV))
            except _GONE:
                return
            if data and self._is_ours():
                self._held += data
                if self._reading.is_over or not await self._take_express():
                    return
            else:
                if self._held:  # the half of a request, behind which the client has closed: only Hypercorn refuses it
                    await self._hand_over(b"")
                if data or self.protocol is not None:
                    await self._hand_over(data)
            if not data:
                return

    def _note_addresses(self) -> None:
        """Raises `OSError` when the client has left already."""
        socket = self._connection.socket
        self._client = parse_socket_addr(socket.family, socket.getpeername())
        self._server = parse_socket_addr(socket.family, socket.getsockname())

    def _is_ours(self) -> bool:
        return self.protocol is None or self.protocol.is_between_requests

    async def _take_express(self) -> bool:
        """Answer what is for the lane, and hand over what is not. False when the connection is to be closed."""
        while len(self._held) >= max(self._needed, 1):
            seen = self._lane.look(self._held)
            if seen is None:
                await self._hand_over(b"")
                return True
            if isinstance(seen, Unfinished):
                self._needed = seen.needed
                return await self._wait_for_the_rest()
            self._held, self._needed, self._is_begun = self._held[seen.length :], 0, False
            self._upload.grown_to(len(self._held))
            if not await self._answer(seen):
                return False
            if self._held:
                await trio.lowlevel.checkpoint()  # many at once must not keep the others waiting
        self._wait_for_a_request()
        return True

    async def _wait_for_the_rest(self) -> bool:
        """What there is of it takes up memory. Where there is too little of that, Quart says so."""
        try:
            self._upload.grown_to(len(self._held))
        except Overloaded:
            await self._hand_over(b"")
        else:
            self._wait_for_a_request()
        return True

    async def _answer(self, call: Call) -> bool:
        if self.protocol is not None:
            await self.idle_task.stop()
        self._reading.pause()
        self._is_answering = True
        is_last = self._is_leaving or self._count() >= self.config.keep_alive_max_requests
        reply = await self._lane.answer(call, self._client[0] if self._client else "", close=is_last)
        is_last = is_last or self._is_leaving
        try:
            sent = self._connection.send_nowait(reply) if self._is_plain else 0
            if sent < len(reply):
                await self.stream.send_all(reply[sent:])
        except _GONE:
            return False
        self._is_answering = False
        return not is_last

    def _count(self) -> int:
        """How many requests this connection has had, whoever answers them: Hypercorn goes on with the same number."""
        self._answered += 1
        if self.protocol is not None:
            self.protocol.keep_alive_requests += 1
            self._answered = self.protocol.keep_alive_requests
        return self._answered

    def _wait_for_a_request(self) -> None:
        """An idle connection may be kept for a while, but what has begun is to be complete in a moment."""
        if not self._held:
            self._reading.allow_idleness()
        elif not self._is_begun:
            self._reading.allow_until(trio.current_time() + min(_MOMENT, self._patience))
        self._is_begun = bool(self._held)

    async def _hand_over(self, data: bytes) -> None:
        """Give Hypercorn what is held and what has just come, as it came."""
        data, self._held, self._needed = self._held + data, b"", 0
        self._is_begun = False
        self._upload.grown_to(0)
        self._reading.pause()
        if self.protocol is None:
            self.protocol = self._speak()
            await self.idle_task.restart(self._task_group, self._idle_timeout)
        await self.protocol.handle(RawData(data))
        self._head_due = (
            min(self._head_due, trio.current_time() + self._patience) if self.protocol.in_head else math.inf
        )
        self._reading.allow_until(self._head_due)
        if self.protocol.is_between_requests:
            self._reading.allow_idleness()

    async def _finish(self) -> None:
        """Nothing is read any more: because the client has left, or has been silent in the middle of a head."""
        if self._reading.is_over and self._is_ours():
            await self.stream.aclose()  # nothing is under way, and nobody waits for last words
        if self.protocol is not None:
            if self._reading.is_late and self.protocol.in_head:
                await self.protocol.send_refusal(408)
            await self.protocol.handle(Closed())
        self._nobody_reads = True
        self._reading.unwatch()
        await self.idle_task.stop()

    def _leave(self) -> None:
        """The server ends. Hypercorn hears of it by itself."""
        self._is_leaving = True
        if self._is_ours() and not self._is_answering and not self._held:
            self._reading.cancel()

    def _stop_reading(self) -> None:
        self._reading.cancel()

    def _speak(self) -> Http11:
        protocol = Http11(
            self.app,
            self.config,
            self.context,
            self._task_group,
            ConnectionState(self.state),
            isinstance(self.stream, trio.SSLStream),
            self._client,
            self._server,
            self.protocol_send,
        )
        protocol.keep_alive_requests = self._answered
        protocol.refuse = self._refuse
        protocol.on_closed = self._stop_reading
        protocol.on_cut_off = self._connection.abort
        return protocol

    async def _close(self) -> None:
        """Say that we are done, then give the client a moment to read it. Where someone else still reads, they do."""
        with suppress(*_GONE):
            if isinstance(self.stream, Connection):
                await self.stream.send_eof()
            with trio.move_on_after(_LINGER):
                while await self.stream.receive_some(MAX_RECV):
                    pass
        await self.stream.aclose()
