"""From a request's head to its complete reply: who may come in, what is read, how long it may take, what every answer
carries.

It knows no web framework. Whatever carries requests (Quart, a faster lane, a test) brings the head and a way to read
the body.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import msgspec
import trio
from prometheus_client import CollectorRegistry

from pulsekeeper.clock import Clock
from pulsekeeper.errors import Forbidden, NotFound, PulsekeeperError, Unauthorized, Unavailable
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.headers import ReplyHeaders
from pulsekeeper.web.identity import Authenticator, Scope, bearer
from pulsekeeper.web.observe import Observer
from pulsekeeper.web.problems import PayloadTooLarge, RequestTimeout, problem_reply
from pulsekeeper.web.settings import Settings
from pulsekeeper.web.wire import CutOff, Reply, Request, Stream

BodyReader = Callable[[int], Awaitable[bytes]]
"""Reads the whole body. Raises `PayloadTooLarge` as soon as it has more bytes than the argument says."""

UNMATCHED = "unmatched"
"""The route's name, in the log and the metrics, of everything that has none."""


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """What the web needs from the rest of the process."""

    authenticator: Authenticator
    readiness: Callable[[], Sequence[str]]
    """Why the service is not ready, in words; empty when it is."""
    registry: CollectorRegistry
    """All metrics of the process: the web adds its own, and `/metrics` shows everything that is in it."""
    clock: Clock
    version: str


class Gate:
    """The one way through which every request goes, whatever carries it."""

    def __init__(self, settings: Settings, services: Services) -> None:
        self.headers = ReplyHeaders(settings)
        self._request_timeout = settings.request_timeout
        self._answer_timeout = settings.answer_timeout.total_seconds()
        self._authenticator = services.authenticator
        self._observer = Observer(settings, services.registry)

    async def answer(self, endpoint: Endpoint, request: Request, read_body: BodyReader | None = None) -> Reply:
        """The reply of an endpoint, or the problem document that stands in its place. Raises nothing but cancellation.

        The key is checked before the body is read: strangers cost a header. Without `read_body` the request has it.
        """
        reply = await self.bare_answer(endpoint, request, read_body)
        return self._completed(endpoint.path, request, reply, public=endpoint.public)

    async def bare_answer(self, endpoint: Endpoint, request: Request, read_body: BodyReader | None = None) -> Reply:
        """The same for a door that adds by itself the `headers` that every reply carries, and takes no streams."""
        started = trio.current_time()
        try:
            reply = await self._handled(endpoint, request, read_body)
        except Exception as error:  # the last resort for bugs: one request fails, not the server
            reply = self._refusal(endpoint.path, request, error)
        self._observer.note(endpoint.path, request, reply, trio.current_time() - started, hot=endpoint.express)
        return reply

    def refuse(self, request: Request, error: Exception) -> Reply:
        """The reply to a request for which there is no endpoint."""
        reply = self._refusal(UNMATCHED, request, error)
        self._observer.note(UNMATCHED, request, reply, 0.0, hot=False)
        return self._completed(UNMATCHED, request, reply, public=False)

    async def _handled(self, endpoint: Endpoint, request: Request, read_body: BodyReader | None) -> Reply:
        if endpoint.scope is not None:
            await self._require(endpoint.scope, request)
        _check_texts(request)
        if read_body is not None and endpoint.takes_body:
            request = msgspec.structs.replace(request, body=await self._body(endpoint, request, read_body))
        try:
            if endpoint.keeps_its_own_time:
                return await endpoint.handler(request)
            with trio.move_on_after(self._answer_timeout):
                return await endpoint.handler(request)
        except trio.TooSlowError:  # a deadline that a handler set for itself: an outage of what it waited for, no bug
            raise Unavailable("A part that is needed did not answer in time. Try again later.") from None
        raise Unavailable("The answer took too long. Try again later.")

    async def _require(self, scope: Scope, request: Request) -> None:
        token = bearer(request.headers.get("authorization"))
        if token is None:
            raise Unauthorized("A key is needed here: send it as 'Authorization: Bearer <key>'.")
        granted = await self._authenticator.authenticate(token)
        if not granted.grants(scope):
            raise Forbidden(f"This key has the scope '{granted}'; '{scope}' is needed here.")

    async def _body(self, endpoint: Endpoint, request: Request, read_body: BodyReader) -> bytes:
        announced = request.headers.get("content-length") or ""
        if announced.isdecimal() and int(announced[:20]) > endpoint.max_body:
            raise PayloadTooLarge(endpoint.max_body)
        with trio.move_on_after(self._request_timeout.total_seconds()):
            return await read_body(endpoint.max_body)
        raise RequestTimeout(f"The body was not complete within {self._request_timeout}.")

    def _refusal(self, route: str, request: Request, error: Exception) -> Reply:
        if not isinstance(error, PulsekeeperError):
            self._observer.bug(route, request, error)
        return problem_reply(error, request.path, request.request_id)

    def _completed(self, route: str, request: Request, reply: Reply, *, public: bool) -> Reply:
        headers = self.headers.complete(reply, request, public=public)
        stream = None if reply.stream is None else partial(self._streamed, reply.stream, route, request)
        return msgspec.structs.replace(reply, headers=headers, stream=stream)

    @asynccontextmanager
    async def _streamed(self, stream: Stream, route: str, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        """Raises `CutOff` in the place of whatever goes wrong: by then there is nobody left to be told."""
        try:
            async with stream() as pieces:
                yield pieces
        except Exception as error:
            self._observer.cut_off(route, request, error)
            raise CutOff from None


def _check_texts(request: Request) -> None:
    """No handler meets a NUL, a control character or half a UTF-8 sequence in a path or a query."""
    for value in request.path_params.values():
        if not value.isprintable() or "\ufffd" in value:
            raise NotFound("There is nothing at this address.")
    if request.query_string:
        _ = request.query  # refuses what cannot be read
