"""The gate by itself: handlers need no web framework around them."""

import msgspec
import pytest
import trio
from trio.testing import MockClock

from pulsekeeper.web.gate import Gate
from pulsekeeper.web.problems import PayloadTooLarge
from pulsekeeper.web.settings import Settings
from pulsekeeper.web.wire import Headers, Reply, Request
from tests.web.parts import CHANGE, GREET, SHOW, endpoint, services

JSON = (b"content-type", b"application/json")


def request(*headers: tuple[bytes, bytes]) -> Request:
    return Request(method="POST", path="/x", headers=Headers([JSON, *headers]), request_id="id")


async def body(_: int) -> bytes:
    return b'{"firstName": "Ada"}'


async def unread(_: int) -> bytes:
    raise AssertionError("nobody may read this")


async def test_a_handler_answers_without_any_framework() -> None:
    reply = await Gate(Settings(), services()).answer(GREET, request(), body)
    assert reply.status == 200
    assert ("X-Request-ID", "id") in reply.headers


async def test_a_stranger_costs_no_body() -> None:
    assert (await Gate(Settings(), services()).answer(CHANGE, request(), unread)).status == 401


async def test_an_announced_length_is_believed_when_it_is_too_much() -> None:
    asked = request((b"content-length", b"9" * 30))
    assert (await Gate(Settings(), services()).answer(GREET, asked, unread)).status == 413


async def test_a_reader_that_finds_too_much_is_answered() -> None:
    async def too_much(limit: int) -> bytes:
        raise PayloadTooLarge(limit)

    assert (await Gate(Settings(), services()).answer(GREET, request(), too_much)).status == 413


async def test_no_body_is_read_for_a_method_that_has_none() -> None:
    asked = Request(method="GET", path="/api/things/1", path_params={"id": "1"})
    assert (await Gate(Settings(), services()).answer(SHOW, asked, unread)).status == 200


async def test_a_header_that_the_handler_sets_is_left_alone() -> None:
    async def cached(_: Request) -> Reply:
        return Reply(status=200, headers=(("cache-control", "max-age=60"),))

    reply = await Gate(Settings(), services()).answer(endpoint(cached), request(), unread)
    assert [value for name, value in reply.headers if name.lower() == "cache-control"] == ["max-age=60"]


@pytest.mark.parametrize(("keeps_its_own_time", "status"), [(False, 503), (True, 200)])
async def test_only_a_handler_that_keeps_its_own_time_is_let_alone(
    autojump_clock: MockClock, keeps_its_own_time: bool, status: int
) -> None:
    async def slow(_: Request) -> Reply:
        await trio.sleep(31)
        return Reply(status=200)

    asked = msgspec.structs.replace(endpoint(slow), keeps_its_own_time=keeps_its_own_time)
    assert (await Gate(Settings(), services()).answer(asked, request(), unread)).status == status
    assert autojump_clock.current_time() == pytest.approx(31 if keeps_its_own_time else 30)


@pytest.mark.parametrize("keeps_its_own_time", [False, True])
async def test_a_deadline_that_a_handler_lets_escape_is_an_outage(keeps_its_own_time: bool) -> None:
    async def hasty(_: Request) -> Reply:
        raise trio.TooSlowError

    asked = msgspec.structs.replace(endpoint(hasty), keeps_its_own_time=keeps_its_own_time)
    assert (await Gate(Settings(), services()).answer(asked, request(), unread)).status == 503


async def test_cancelling_a_request_cancels_its_handler() -> None:
    async def wait(_: Request) -> Reply:
        await trio.sleep_forever()
        raise AssertionError("unreachable")

    with trio.CancelScope() as scope:
        scope.cancel()
        await Gate(Settings(), services()).answer(endpoint(wait), request(), unread)
        pytest.fail("a cancelled request has no reply")
    assert scope.cancelled_caught
