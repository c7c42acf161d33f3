"""The front door: Hypercorn as a child of our own tree, so that a crash is the supervisor's business and stopping is
ordered.

Why not in the application's lifespan: a crash there is only logged, and the server goes on answering with dead actors
behind it.
"""

from functools import partial
from ssl import SSLContext
from typing import Never

import structlog
import trio
from hypercorn.config import Config
from hypercorn.logging import Logger
from hypercorn.trio.worker_context import WorkerContext

from pulsekeeper.actors.inbox import Inbox, Stop
from pulsekeeper.web.app import App
from pulsekeeper.web.connections import BoundedListener, Connection, Connections
from pulsekeeper.web.listening import CannotListen, Listening
from pulsekeeper.web.serving import HttpConnection
from pulsekeeper.web.settings import Settings

_LONGEST_HEAD = 16 * 1024
_log = structlog.get_logger("pulsekeeper.web")

Accepting = trio.SSLListener[Connection] | BoundedListener
Accepted = trio.SSLStream[Connection] | Connection


class Front:
    """An actor that serves the application from its first read of the inbox until the inbox ends.

    Then it leaves in order: `/readyz` says no for `drain_delay`, the listener closes, idle connections are closed,
    requests in flight have `graceful_timeout` to finish, and what is left then is cut off.

    A bug in a handler costs one request, one in Hypercorn one connection; only when accepting itself fails does the
    front crash.
    """

    def __init__(self, app: App, settings: Settings, listening: Listening) -> None:
        self._app = app
        self._settings = settings
        self._listening = listening
        self._config = _hypercorn(settings)
        self._context = WorkerContext(max_requests=None)
        patience = settings.request_timeout.total_seconds()
        self._connections = Connections(settings.max_connections, patience)

    async def run(self, inbox: Inbox[Never]) -> None:
        """Serve. Raises `CannotListen` when the address is not to be had."""
        tls = _tls(self._config)
        listener = self._accepting(tls)
        async with trio.open_nursery() as serving:
            try:
                async with trio.open_nursery() as accepting:
                    serve = partial(trio.serve_listeners, self._serve, [listener], handler_nursery=serving)
                    await accepting.start(serve)
                    self._listening.note_serving()
                    await self._wait_for_the_end(inbox)
                    accepting.cancel_scope.cancel()
                await self._finish()
            finally:
                self._connections.abort_all()
            serving.cancel_scope.cancel()

    def _accepting(self, tls: SSLContext | None) -> Accepting:
        listener = BoundedListener(self._listening.take(), self._connections)
        return listener if tls is None else trio.SSLListener(listener, tls, https_compatible=True)

    async def _wait_for_the_end(self, inbox: Inbox[Never]) -> None:
        """Nobody ever tells the front anything. Only an end for good is announced: a restart is over in a moment."""
        async for _ in inbox:
            pass
        if inbox.stop is Stop.FOR_GOOD:
            self._listening.note_leaving()
            await trio.sleep(self._settings.drain_delay.total_seconds())

    async def _finish(self) -> None:
        """Idle connections close by themselves as soon as they hear of it, the others after their reply."""
        await self._context.terminated.set()
        self._connections.leave_all()
        with trio.move_on_after(self._settings.graceful_timeout.total_seconds()):
            await self._connections.wait_none_left()

    async def _serve(self, stream: Accepted) -> None:
        try:
            await HttpConnection(self._app, self._config, self._context, stream).run()
        except Exception:  # a connection is the unit of failure: no client may bring down the others
            _log.exception("connection_failed")


class _Log(Logger):
    """What Hypercorn has to say, in our log. It says nothing about single requests."""

    async def exception(self, message: str, *args: object, **kwargs: object) -> None:
        _log.exception(message)


def _hypercorn(settings: Settings) -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = None
    config.logger_class = _Log
    config.include_server_header = False
    config.h11_max_incomplete_size = _LONGEST_HEAD
    config.alpn_protocols = ["http/1.1"]
    config.keep_alive_timeout = settings.keep_alive_timeout.total_seconds()
    config.ssl_handshake_timeout = settings.request_timeout.total_seconds()
    config.certfile = settings.certfile or None
    config.keyfile = settings.keyfile or None
    return config


def _tls(config: Config) -> SSLContext | None:
    try:
        return config.create_ssl_context()
    except OSError as error:
        raise CannotListen(f"cannot read the TLS certificate or its key: {error.strerror or error}") from error
