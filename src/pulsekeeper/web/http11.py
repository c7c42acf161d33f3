"""Hypercorn's HTTP/1.1, with the manners that it lacks.

Relies on the inside of Hypercorn 0.18, which is why its version is pinned.
"""

from collections.abc import Callable

import h11
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.events import Request, StreamClosed
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import HTTPStream

from pulsekeeper.web.wire import Reply

Refuse = Callable[[int], Reply]
"""The reply to something that is not even a request, by the status that says why."""


class Http11(H11Protocol):
    """HTTP/1.1 that refuses with problem documents, and that never turns into another protocol half-way."""

    refuse: Refuse
    on_closed: Callable[[], None]
    """Called when the connection is closed, whoever noticed it."""
    on_cut_off: Callable[[], None]
    """Called when the application has left a reply without its end."""

    @property
    def is_between_requests(self) -> bool:
        """Whether nothing of a request has arrived, and every reply is complete."""
        h11_connection = self.connection
        return (
            self.stream is None
            and isinstance(h11_connection, h11.Connection)
            and h11_connection.states == {h11.CLIENT: h11.IDLE, h11.SERVER: h11.IDLE}
            and not h11_connection.trailing_data[0]
        )

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
        """Refuse whatever has arrived so far. The connection is over with this.

        In one piece: the application may be about to reply to what came before, and would end this reply in its place.
        """
        reply = self.refuse(status)
        headers = [
            ("Content-Type", reply.content_type or ""),
            ("Content-Length", str(len(reply.body))),
            ("Connection", "close"),
            *reply.headers,
        ]
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        head = h11.Response(status_code=reply.status, headers=encoded + self.config.response_headers("h11"))
        events = (head, h11.Data(data=reply.body), h11.EndOfMessage())
        await self.send(RawData(b"".join([self.connection.send(event) or b"" for event in events])))

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
