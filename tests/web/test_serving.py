"""HTTP/1.1 over real sockets, with raw bytes: what clients do on purpose and by mistake."""

import pytest
import trio

from pulsekeeper.web.wire import Reply, Request, no_content
from tests.web.clients import GET, GET_AND_CLOSE, GREETING, POST, problem_in, reply_of, rest_of, serving


async def test_a_connection_that_is_to_be_closed_is_closed_at_once() -> None:
    async with serving() as front:
        with trio.fail_after(0.9):  # less than any timeout in between
            answer = await front.say(GET_AND_CLOSE)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b'{"id":"1","page":null}')


async def test_http_1_0_is_closed_after_its_reply() -> None:
    async with serving() as front:
        answer = await front.say(b"GET /api/things/1 HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_connection_is_kept_alive() -> None:
    async with serving() as front, await front.connect() as stream:
        for _ in range(3):
            await stream.send_all(GET)
            assert (await reply_of(stream)).startswith(b"HTTP/1.1 200 ")


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serving() as front:
        answer = await front.say(GET + GET.replace(b"/1", b"/2") + GET_AND_CLOSE.replace(b"/1", b"/3"))
    assert [answer.find(f'"id":"{number}"'.encode()) > 0 for number in (1, 2, 3)] == [True] * 3


async def test_a_reply_says_nothing_about_the_server() -> None:
    async with serving() as front:
        answer = await front.say(GET_AND_CLOSE)
    assert b"\r\nserver:" not in answer.lower()
    assert b"\r\ndate:" in answer.lower()


async def test_a_head_has_the_length_of_the_body_and_no_body() -> None:
    async with serving() as front:
        answer = await front.say(GET_AND_CLOSE.replace(b"GET", b"HEAD"))
    assert b"content-length: 22\r\n" in answer.lower()
    assert answer.endswith(b"\r\n\r\n")


async def test_no_content_has_neither_type_nor_length() -> None:
    async def nothing(_: Request) -> Reply:
        return no_content()

    async with serving(nothing) as front:
        answer = await front.say(GET_AND_CLOSE.replace(b"/things/1", b"/nothing"))
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert b"\r\ncontent-length" not in answer.lower()
    assert b"\r\ncontent-type" not in answer.lower()


async def test_a_body_may_come_in_chunks() -> None:
    async with serving() as front, await front.connect() as stream:
        await stream.send_all(POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n" + GREETING[:5] + b"\r\n")
        await stream.send_all(b"f\r\n" + GREETING[5:] + b"\r\n0\r\n\r\n")
        assert (await reply_of(stream)).startswith(b"HTTP/1.1 200 ")


async def test_a_body_that_is_too_long_gets_its_answer_although_it_is_still_coming() -> None:
    """Without a Content-Length nobody knows before; and closing at once would reset the connection unread."""
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    async with serving() as front, await front.connect() as stream:
        await stream.send_all(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(20):
            await stream.send_all(chunk)
        assert problem_in(await reply_of(stream)).status == 413


async def test_a_body_that_announces_its_length_is_refused_before_it_comes() -> None:
    async with serving() as front, await front.connect() as stream:
        await stream.send_all(POST + b"Content-Length: 1000000\r\n\r\n")
        assert problem_in(await reply_of(stream)).status == 413


async def test_after_an_early_refusal_the_connection_can_go_on() -> None:
    async with serving() as front, await front.connect() as stream:
        await stream.send_all(POST.replace(b"/api/greet", b"/nothing") + b"Content-Length: 20\r\n\r\n")
        assert problem_in(await reply_of(stream)).status == 404
        await stream.send_all(GREETING + GET)
        assert (await reply_of(stream)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "nonsense",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["no request line", "no host", "not ASCII", "no length", "bad header", "TLS"],
)
async def test_what_is_not_http_is_refused(nonsense: bytes) -> None:
    async with serving() as front, await front.connect() as stream:
        await stream.send_all(nonsense)
        await stream.send_eof()
        answer = await rest_of(stream)
        assert answer == b"" or problem_in(answer).status == 400
        assert (await front.say(GET_AND_CLOSE)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "target",
    [b"*", b"?a=1", b"http://x/nothing", b"http://[::1", b"x:80", b"//api/things/1", b"/%ff", b"/api/things/%00"],
)
async def test_odd_targets_are_not_found(target: bytes) -> None:
    async with serving() as front:
        answer = await front.say(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert problem_in(answer).status == 404


async def test_a_problem_names_the_path_that_was_asked_for() -> None:
    """It named the one by which such a request is kept from being routed."""
    async with serving() as front:
        answer = await front.say(b"GET //healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert problem_in(answer).instance == "//healthz"


@pytest.mark.parametrize("host", [b"", b"\xff", b"a b", b"x/../..", b"[", b"a:b:c"])
async def test_the_host_has_no_say(host: bytes) -> None:
    async with serving() as front:
        answer = await front.say(GET_AND_CLOSE.replace(b"Host: x", b"Host: " + host))
    assert answer.split(b" ")[1] in {b"200", b"400"}


async def test_upgrades_are_not_taken_up() -> None:
    h2c = b"Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
    websocket = (
        b"Connection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    start = b"GET /api/things/1 HTTP/1.1\r\nHost: x\r\n"
    async with serving() as front:
        assert (await front.say(start + h2c)).startswith(b"HTTP/1.1 200 ")
        assert (await front.say(start + websocket)).startswith(b"HTTP/1.1 200 ")
        assert b" 101 " not in await front.say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")


async def test_a_bug_costs_one_request() -> None:
    async with serving() as front, await front.connect() as stream:
        await stream.send_all(GET.replace(b"/things/1", b"/fail"))
        assert problem_in(await reply_of(stream)).status == 500
        await stream.send_all(GET)
        assert (await reply_of(stream)).startswith(b"HTTP/1.1 200 ")
