"""Hypercorn's way of serving one connection, with the bounds and the manners that it lacks.

Relies on the inside of Hypercorn 0.18, which is why its version is pinned: its `TCPServer` has no place to put these.

HTTP/1.1 only, also over TLS: in Hypercorn's HTTP/2 a client that grants no flow-control window holds its streams for
ever, and nothing is lost, because a reverse proxy that speaks HTTP/2 to browsers speaks HTTP/1.1 to us anyway.
"""

import math
from collections.abc import Callable
from contextlib import suppress

import h11
import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import Request, StreamClosed
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import MAX_RECV, TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState
from hypercorn.utils import parse_socket_addr

from pulsekeeper.web.connections import Connection
from pulsekeeper.web.wire import Reply

Refuse = Callable[[int], Reply]
"""The reply to something that is not even a request, by the status that says why."""

_LINGER = 1.0
"""Seconds for which we go on reading after a refusal: closing with unread bytes would reset the connection unread."""
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError)


class Http11(H11Protocol):
    """HTTP/1.1 that refuses with problem documents, and that never turns into another protocol half-way."""

    refuse: Refuse
    on_closed: Callable[[], None]
    """Called when the connection is closed, whoever noticed it."""
    on_cut_off: Callable[[], None]
    """Called when the application has left a reply without its end."""

    @property
    def in_head(self) -> bool:
        """Whether the head of a request has begun to arrive and is not complete."""
        is_http = isinstance(self.connection, h11.Connection)
        return is_http and self.connection.their_state is h11.IDLE and bool(self.connection.trailing_data[0])

    async def handle(self, event: Event) -> None:
        """Hypercorn's."""
        await super().handle(event)
        if isinstance(event, Closed):
            self.on_closed()

    async def stream_send(self, event: StreamEvent) -> None:
        """Hypercorn's, but nobody takes the part of a reply for the whole."""
        if isinstance(event, StreamClosed) and self.connection.our_state is h11.SEND_BODY:
            self.on_cut_off()
        await super().stream_send(event)

    async def send_refusal(self, status: int) -> None:
        """Refuse whatever has arrived so far. The connection is over with this."""
        reply = self.refuse(status)
        headers = [
            ("Content-Type", reply.content_type or ""),
            ("Content-Length", str(len(reply.body))),
            ("Connection", "close"),
            *reply.headers,
        ]
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        date = self.config.response_headers("h11")
        await self._send_h11_event(h11.Response(status_code=reply.status, headers=encoded + date))
        await self._send_h11_event(h11.Data(data=reply.body))
        await self._send_h11_event(h11.EndOfMessage())

    async def _send_error_response(self, status_code: int) -> None:
        await self.send_refusal(status_code)

    async def _check_protocol(self, event: h11.Request) -> None:
        """No clear-text HTTP/2: RFC 9113 has dropped the upgrade."""

    async def _create_stream(self, request: h11.Request) -> None:
        """Hypercorn's, without its websockets: an upgrade that we do not want is a request like any other."""
        self.stream = HTTPStream(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            STREAM_ID,
        )
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=list(request.headers),
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii").upper(),
                raw_path=request.target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1


class HttpConnection(TCPServer):
    """One connection, from its first byte to its last."""

    protocol: Http11  # type: ignore[assignment]  # nothing else is spoken here
    stream: trio.SSLStream[Connection] | Connection  # type: ignore[assignment]  # Hypercorn names TLS over sockets only

    def __init__(
        self,
        app: AppWrapper,
        config: Config,
        context: WorkerContext,
        stream: trio.SSLStream[Connection] | Connection,
        refuse: Refuse,
    ) -> None:
        super().__init__(app, config, context, ConnectionState({}), stream)  # type: ignore[arg-type]  # as above
        self._refuse = refuse
        self._patience = config.ssl_handshake_timeout
        self._reading = trio.CancelScope()
        """Cancelled on closing: Hypercorn's reader may be waiting for the end of a reply to a client that has left."""
        self._nobody_reads = False

    async def run(self) -> None:
        """Serve it until either side is done. Raises nothing that a client can cause."""
        try:
            if isinstance(self.stream, trio.SSLStream):
                with trio.fail_after(self._patience):
                    await self.stream.do_handshake()
            async with TaskGroup() as self._task_group:
                self.protocol = self._speak()
                await self.idle_task.restart(self._task_group, self._idle_timeout)
                with self._reading:
                    await self._read_data()
                await self.protocol.handle(Closed())
                self._nobody_reads = True
                await self.idle_task.stop()
        except (OSError, trio.BrokenResourceError, trio.TooSlowError):
            pass  # the client is gone, or its handshake failed
        finally:
            await self._close()

    async def protocol_send(self, event: Event) -> None:
        """Hypercorn's, but a connection that the client has left is not kept alive for the next request."""
        if not (self._nobody_reads and isinstance(event, Updated)):
            await super().protocol_send(event)

    def _speak(self) -> Http11:
        is_tls = isinstance(self.stream, trio.SSLStream)
        connection = self.stream.transport_stream if isinstance(self.stream, trio.SSLStream) else self.stream
        socket = connection.socket
        protocol = Http11(
            self.app,
            self.config,
            self.context,
            self._task_group,
            ConnectionState(self.state),
            is_tls,
            parse_socket_addr(socket.family, socket.getpeername()),
            parse_socket_addr(socket.family, socket.getsockname()),
            self.protocol_send,
        )
        protocol.refuse = self._refuse
        protocol.on_closed = self._reading.cancel
        protocol.on_cut_off = connection.abort
        return protocol

    async def _read_data(self) -> None:
        """Hypercorn's loop, but a client that has begun a request has to go on with it."""
        due = math.inf
        while True:
            try:
                with trio.fail_at(due):
                    data = await self.stream.receive_some(MAX_RECV)
            except trio.TooSlowError:
                await self.protocol.send_refusal(408)
                return
            except _GONE:
                return
            await self.protocol.handle(RawData(bytes(data)))
            if not data:
                return
            due = min(due, trio.current_time() + self._patience) if self.protocol.in_head else math.inf

    async def _close(self) -> None:
        """Say that we are done, then give the client a moment to read it. Where someone else still reads, they do."""
        with suppress(*_GONE):
            if isinstance(self.stream, Connection):
                await self.stream.send_eof()
            with trio.move_on_after(_LINGER):
                while await self.stream.receive_some(MAX_RECV):
                    pass
        await self.stream.aclose()
