"""How one ASGI request goes through Quart-Trio, mended where it and Hypercorn 0.18 do not fit together."""

from functools import partial
from typing import cast
from urllib.parse import urlsplit

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGIReceiveEvent, ASGISendCallable, ASGISendEvent, HTTPScope
from quart import Quart
from quart_trio.asgi import TrioASGIHTTPConnection

_LINGER = 1.0
"""Seconds for which the rest of an unwanted body is still taken in, so that its sender gets to see the answer."""
_NOWHERE = "/*"
_ASKED = "pulsekeeper.asked"
"""A member of our own in the scope."""
_LAST_WORDS = 5.0
"""Seconds that the server may take to finish a reply after the request has been cancelled."""


class Exchange(TrioASGIHTTPConnection):
    """One request and its reply, with two cures.

    *The end of a reply is shielded.* Sending it makes Hypercorn tell the request that the client is gone, which
    cancels the request and with it Hypercorn's own closing of the connection: `Connection: close` would stay open for
    ever.

    *A body that is not wanted is still taken in for a moment* before the reply is ended, because closing a socket
    with unread bytes resets the connection, and the client never sees why it was refused.
    """

    def __init__(self, app: Quart, scope: HTTPScope) -> None:
        super().__init__(app, cast(HTTPScope, {**scope, "path": routable(scope["path"]), _ASKED: scope["path"]}))
        self._request_over = trio.Event()

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Serve the request. Ends when the reply is sent or the client is gone."""
        await super().__call__(partial(self._receive, receive), partial(self._send, send))

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
