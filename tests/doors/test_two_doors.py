"""What compares the doors would notice if they were different."""

import msgspec
import pytest

from pulsekeeper.errors import Overloaded
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.settings import Bind, Settings
from pulsekeeper.web.wire import Reply, Request, json_reply
from tests.support.raw_http import Question
from tests.support.two_doors import TwoDoors
from tests.web.parts import GREET, endpoint, seconds, services

DEFAULTS = Settings()
BODY = b'{"firstName": "Ada"}'
GREETING = Question(
    method="POST",
    target=b"/api/greet",
    fields=[(b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(BODY))],
    body=BODY,
)
GET = Question(method="GET", target=b"/api/test")


def doors(endpoint: Endpoint, settings: Settings) -> TwoDoors:
    bound = msgspec.structs.replace(settings, bind=Bind("127.0.0.1:0"))
    return TwoDoors([msgspec.structs.replace(endpoint, express=True)], services(), bound)


def greeting(settings: Settings = DEFAULTS) -> TwoDoors:
    return doors(GREET, settings)


async def test_a_handler_runs_once_and_answers_twice() -> None:
    calls: list[Request] = []

    async def count(request: Request) -> Reply:
        calls.append(request)
        return json_reply(len(calls), headers=(("X-Count", str(len(calls))),))

    told = await doors(endpoint(count), DEFAULTS).ask(GET)

    assert (told.status, told.body, dict(told.fields)[b"x-count"]) == (200, b"1", b"1")
    assert len(calls) == 1


async def test_a_refusal_is_repeated_as_well() -> None:
    async def refuse(_: Request) -> Reply:
        raise Overloaded("Too much to do.", retry_after=7.2)

    told = await doors(endpoint(refuse), DEFAULTS).ask(GET)

    assert (told.status, dict(told.fields)[b"retry-after"]) == (503, b"8")


async def test_another_answer_is_noticed() -> None:
    both = greeting()
    both._apps[1] = greeting(Settings(hsts=seconds(60)))._apps[0]
    with pytest.raises(AssertionError, match="do not say the same"):
        await both.ask(GREETING)


async def test_a_door_that_leads_elsewhere_is_noticed() -> None:
    both = greeting()
    both._apps[1] = greeting()._apps[0]
    with pytest.raises(AssertionError, match="only the lane has led to the handler"):
        await both.ask(GREETING)


async def test_another_request_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    both = greeting()
    seen = iter([("one",), ("other",)])
    monkeypatch.setattr(both, "_seen", lambda _request: next(seen))  # as if the doors had read it differently
    with pytest.raises(AssertionError, match="do not say the same"):
        await both.ask(GREETING)
