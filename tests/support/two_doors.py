"""The express lane and Quart as two doors to the same endpoints: both are knocked at with the same bytes, over sockets.

A handler runs once, behind the lane. Behind Quart stands its double, which looks whether it has been given the very
same request, and ends as the handler has ended. So nothing happens twice, there is no second world to be kept in step,
and the answers must be the same to the last byte; only `Date` may differ.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Never
from uuid import uuid4

import msgspec
import trio
from prometheus_client import CollectorRegistry

from pulsekeeper.actors.inbox import Inbox
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.web.app import App, create_app
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.front import Front
from pulsekeeper.web.gate import Services
from pulsekeeper.web.listening import Listening
from pulsekeeper.web.settings import Bind, Settings
from pulsekeeper.web.wire import Handler, Reply, Request
from tests.support.raw_http import Question, Told, told

_SETTINGS = Settings(bind=Bind("127.0.0.1:0"))
_MADE = frozenset({"host", "content-length", "transfer-encoding"})


class _Run(msgspec.Struct):
    """What a handler was given, and how it has ended."""

    request: Request
    outcome: Reply | Exception | None = None


class TwoDoors:
    """Endpoints that can be asked. Each question gets two fronts of its own, so there is nothing to close."""

    def __init__(self, endpoints: Sequence[Endpoint], services: Services, settings: Settings = _SETTINGS) -> None:
        self._settings = settings
        self._runs: dict[str, _Run] = {}
        self._names = set(_MADE)
        watched = [_changed(each, self._watched(each.handler), express=each.express) for each in endpoints]
        doubles = [_changed(each, self._double, express=False) for each in endpoints]
        self._apps = [create_app(each, settings, _on_its_own(services)) for each in (watched, doubles)]

    async def ask(self, question: Question) -> Told:
        """The answer, which is the same behind both doors."""
        request_id = uuid4().hex  # a run is found by it, and it is the same in both answers
        asked = msgspec.structs.replace(question, fields=[*question.fields, (b"X-Request-ID", request_id.encode())])
        self._names |= {name.decode().lower() for name, _ in asked.fields}
        by_lane, by_quart = [await self._told(app, asked) for app in self._apps]
        assert by_lane == by_quart, "the lane and Quart do not say the same"
        assert request_id not in self._runs, "only the lane has led to the handler"
        return by_lane

    async def _told(self, app: App, question: Question) -> Told:
        async with _serving(app, self._settings) as port:
            return await told(port, question)

    def _watched(self, handler: Handler) -> Handler:
        async def handle(request: Request) -> Reply:
            run = self._runs[request.request_id] = _Run(request)
            try:
                run.outcome = await handler(request)
            except Exception as error:
                run.outcome = error
                raise
            return run.outcome

        return handle

    async def _double(self, request: Request) -> Reply:
        """What is asserted here is a bug to the gate, which logs it, and whose answer is then another one."""
        run = self._runs.pop(request.request_id)
        assert self._seen(request) == self._seen(run.request)
        assert run.outcome is not None, "the handler did not end behind the lane"
        if isinstance(run.outcome, Exception):
            raise run.outcome
        return run.outcome

    def _seen(self, request: Request) -> tuple[object, ...]:
        """All that a handler can learn of a request."""
        fields = {name: request.headers.get(name) for name in self._names}
        where = (request.method, request.path, dict(request.path_params), request.query_string, request.peer)
        return *where, request.body, request.request_id, fields


def _changed(endpoint: Endpoint, handler: Handler, *, express: bool) -> Endpoint:
    return msgspec.structs.replace(endpoint, handler=handler, express=express)


def _on_its_own(services: Services) -> Services:
    """An application brings metrics, which are registered once."""
    return msgspec.structs.replace(services, registry=CollectorRegistry())


@asynccontextmanager
async def _serving(app: App, settings: Settings) -> AsyncIterator[int]:
    """A front, and its port."""
    listening, serves = Listening(settings), trio.Event()
    listening.open()
    inbox: Inbox[Never] = Inbox(Mailbox("front", 1), serves.set)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Front(app, settings, listening).run, inbox)
        await serves.wait()
        yield int(listening.url.rpartition(":")[2])
        nursery.cancel_scope.cancel()
