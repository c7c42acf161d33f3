"""TCP, and TLS, before a test server that has neither: what PostgreSQL would say before the handshake, and a pipe."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from tests.web.clients import PEM

_YES = b"S"
_REQUEST = 8


@asynccontextmanager
async def tcp_front(socket_path: str, *, encrypted: bool) -> AsyncIterator[str]:
    """A URL at which the server behind `socket_path` can be reached over TCP, with TLS only or without it only."""

    async def handle(client: trio.SocketStream) -> None:
        stream = await _encrypt(client) if encrypted else client
        async with stream, await trio.open_unix_socket(socket_path) as server, trio.open_nursery() as nursery:
            nursery.start_soon(_pipe, stream, server, nursery.cancel_scope)
            nursery.start_soon(_pipe, server, stream, nursery.cancel_scope)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        port, mode = listeners[0].socket.getsockname()[1], "require" if encrypted else "disable"
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode={mode}"
        nursery.cancel_scope.cancel()


async def _encrypt(client: trio.SocketStream) -> trio.SSLStream[trio.SocketStream]:
    await client.receive_some(_REQUEST)
    await client.send_all(_YES)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(PEM)
    return trio.SSLStream(client, context, server_side=True, https_compatible=True)


async def _pipe(source: trio.abc.ReceiveStream, sink: trio.abc.SendStream, until: trio.CancelScope) -> None:
    try:
        while data := await source.receive_some(65_536):
            await sink.send_all(data)
    except trio.BrokenResourceError:
        pass
    until.cancel()
