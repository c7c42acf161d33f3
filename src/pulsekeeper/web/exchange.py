"""How one ASGI request goes through Quart-Trio, mended where it and Hypercorn 0.18 do not fit together."""

from collections.abc import AsyncIterator
from functools import partial
from types import TracebackType
from typing import cast
from urllib.parse import urlsplit

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGIReceiveEvent, ASGISendCallable, ASGISendEvent, HTTPScope
from quart import Quart, Request
from quart.wrappers.response import ResponseBody
from quart_trio.asgi import TrioASGIHTTPConnection

from pulsekeeper.web.wire import CutOff, Stream

_LINGER = 1.0
"""Seconds for which the rest of an unwanted body is still taken in, so that its sender gets to see the answer."""
_NOWHERE = "/*"
_ASKED = "pulsekeeper.asked"
"""A member of our own in the scope."""
_LAST_WORDS = 5.0
"""Seconds that the server may take to finish a reply after the request has been cancelled."""


class StreamBody(ResponseBody):
    """A reply's stream, as Quart reads it: a piece is asked for when the one before is sent."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def __aenter__(self) -> AsyncIterator[bytes]:
        self._opened = self._stream()
        return await self._opened.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._opened.__aexit__(kind, error, traceback)


class Exchange(TrioASGIHTTPConnection):
    """One request and its reply, with three cures.

    *The end of a reply is shielded.* Sending it makes Hypercorn tell the request that the client is gone, which
    cancels the request and with it Hypercorn's own closing of the connection: `Connection: close` would stay open for
    ever.

    *A body that is not wanted is still taken in for a moment* before the reply is ended, because closing a socket
    with unread bytes resets the connection, and the client never sees why it was refused.

    *A reply that is cut off is no bug of the server's*, and is not logged as one.
    """

    def __init__(self, app: Quart, scope: HTTPScope) -> None:
        super().__init__(app, cast(HTTPScope, {**scope, "path": routable(scope["path"]), _ASKED: scope["path"]}))
        self._request_over = trio.Event()

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Serve the request. Ends when the reply is sent or the client is gone."""
        await super().__call__(partial(self._receive, receive), partial(self._send, send))

    async def handle_request(self, nursery: trio.Nursery, request: Request, send: ASGISendCallable) -> None:  # type: ignore[override]  # as Quart-Trio's
        """Reply. Without the end of a reply the server resets the connection."""
        try:
            await super().handle_request(nursery, request, send)
        except CutOff:
            nursery.cancel_scope.cancel()

    async def _receive(self, receive: ASGIReceiveCallable) -> ASGIReceiveEvent:
        event = await receive()
        if event["type"] != "http.request" or not event.get("more_body", False):
            self._request_over.set()
        return event

    async def _send(self, send: ASGISendCallable, event: ASGISendEvent) -> None:
        if event["type"] == "http.response.body" and not event.get("more_body", False):
            with trio.move_on_after(_LINGER):
                await self._request_over.wait()
            with trio.move_on_after(_LAST_WORDS, shield=True):
                await send(event)
        else:
            await send(event)


def asked_path(scope: HTTPScope) -> str:
    """The path that the client asked for, which is not always the one to route by."""
    return cast("dict[str, str]", scope).get(_ASKED, scope["path"])


def routable(target: str) -> str:
    """The path to route by, whatever a client asked for: `*`, an absolute URL and nonsense are made paths as well."""
    try:
        path = target if target.startswith("/") else urlsplit(target).path or "/"
    except ValueError:
        path = _NOWHERE
    return _NOWHERE if path.startswith("//") else path  # the router would overlook the second slash
