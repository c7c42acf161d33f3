"""The tests of the routes of decisions, once more, with both doors in front of the handlers."""

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from pulsekeeper.decisions.routes import DecisionRoutes
from pulsekeeper.web.wire import Reply, Request
from tests.decisions.test_routes import *  # noqa: F403  # all of them, with their fixture
from tests.support.raw_http import Question
from tests.support.two_doors import TwoDoors
from tests.web.parts import services

Method = Callable[[DecisionRoutes, Request], Awaitable[Reply]]


@pytest.fixture(autouse=True)
def _through_both_doors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever calls a handler of an express endpoint has it called by a front."""
    for method in (DecisionRoutes.decide, DecisionRoutes.acknowledge):
        monkeypatch.setattr(DecisionRoutes, method.__name__, _asked_over_sockets(method))


def _asked_over_sockets(method: Method) -> Method:
    """Gives, or raises, what the handler does, after both doors have told it in the same words."""

    async def ask(routes: DecisionRoutes, asked: Request) -> Reply:
        outcome: list[Reply | Exception] = []

        async def handle(request: Request) -> Reply:
            try:
                reply = await method(routes, msgspec.structs.replace(request, peer=asked.peer))
            except Exception as error:
                outcome.append(error)
                raise
            outcome.append(reply)
            return reply

        [endpoint] = [each for each in routes.endpoints() if each.handler == getattr(routes, method.__name__)]
        assert endpoint.express
        doors = TwoDoors([msgspec.structs.replace(endpoint, handler=handle)], services())
        told = await doors.ask(_question(endpoint.path, asked))
        [ended] = outcome
        if isinstance(ended, Exception):
            raise ended
        assert (told.status, told.body) == (ended.status, ended.body)
        return ended

    return ask


def _question(path: str, asked: Request) -> Question:
    """The bytes of a request that a test has made without any."""
    names = ("content-type", "authorization")
    fields = [(name, value) for name in names if (value := asked.headers.get(name)) is not None]
    raw = [(name.encode(), value.encode()) for name, value in [*fields, ("content-length", str(len(asked.body)))]]
    target = path.encode() + (b"?" + asked.query_string if asked.query_string else b"")
    return Question(method=asked.method, target=target, fields=raw, body=asked.body)
