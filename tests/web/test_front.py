"""The front over real sockets, with raw bytes: what clients do on purpose, by mistake and out of malice."""

import random
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Never

import msgspec
import pytest
import trio
from structlog.testing import capture_logs

from pulsekeeper.actors.inbox import Inbox, Stop
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.web.front import Front
from pulsekeeper.web.listening import CannotListen, Listening
from pulsekeeper.web.problems import Problem
from pulsekeeper.web.settings import Settings
from pulsekeeper.web.wire import Handler, Reply, Request, json_reply, no_content
from tests.web.parts import FAIL, GREET, SHOW, app_of, endpoint, seconds

PEM = Path(__file__).parent / "localhost.pem"  # made for these tests, signed by itself
GREETING = b'{"firstName": "Ada"}'
GET = b"GET /api/things/1 HTTP/1.1\r\nHost: x\r\n\r\n"
GET_AND_CLOSE = b"GET /api/things/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Running:
    """A front that serves, and how to speak to it."""

    def __init__(self, listening: Listening, inbox: Inbox[Never]) -> None:
        self.listening = listening
        self.ended = trio.Event()
        self._inbox = inbox
        self.port = int(listening.url.rpartition(":")[2])

    async def connect(self) -> trio.SocketStream:
        """A client's end of a new connection."""
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def say(self, *pieces: bytes) -> bytes:
        """Everything that comes back until the server closes; at most two seconds of it."""
        async with await self.connect() as stream:
            for piece in pieces:
                await stream.send_all(piece)
            return await rest_of(stream)

    def stop(self, how: Stop = Stop.FOR_GOOD) -> None:
        """End the front's inbox."""
        self._inbox.end(how)


async def rest_of(stream: trio.SocketStream) -> bytes:
    """What arrives until the other side closes."""
    received = bytearray()
    with trio.fail_after(2):
        while piece := await stream.receive_some():
            received += piece
    return bytes(received)


async def reply_of(stream: trio.SocketStream) -> bytes:
    """One reply, with a length, on a connection that stays open."""
    received = bytearray()
    with trio.fail_after(2):
        while b"\r\n\r\n" not in received:
            received += await stream.receive_some()
        head, _, body = bytes(received).partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += await stream.receive_some()
    return head + b"\r\n\r\n" + body


def problem_in(answer: bytes) -> Problem:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    return msgspec.json.decode(body, type=Problem)


Start = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def serving() -> Start:
    """Starts a front with some endpoints and settings, and stops it in the end."""

    @asynccontextmanager
    async def start(*handlers: Handler, **settings: object) -> AsyncIterator[Running]:
        chosen = msgspec.structs.replace(Settings(bind="127.0.0.1:0", graceful_timeout=seconds(1)), **settings)
        endpoints = [endpoint(handler, f"/api/{handler.__name__}") for handler in handlers]
        app = app_of(GREET, SHOW, FAIL, *endpoints, settings=chosen)
        listening = Listening(chosen)
        listening.open()
        inbox: Inbox[Never] = Inbox(Mailbox("front", 1))
        running = Running(listening, inbox)

        async def run() -> None:
            await Front(app, chosen, listening).run(inbox)
            running.ended.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await listening.wait_serving()
            yield running
            running.stop()
            with trio.fail_after(3):
                await running.ended.wait()

    return start


async def test_a_connection_that_is_to_be_closed_is_closed_at_once(serving: Start) -> None:
    async with serving() as front:
        with trio.fail_after(0.9):  # less than any timeout in between
            answer = await front.say(GET_AND_CLOSE)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b'{"id":"1","page":null}')


async def test_http_1_0_is_closed_after_its_reply(serving: Start) -> None:
    async with serving() as front:
        answer = await front.say(b"GET /api/things/1 HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_connection_is_kept_alive(serving: Start) -> None:
    async with serving() as front, await front.connect() as stream:
        for _ in range(3):
            await stream.send_all(GET)
            assert (await reply_of(stream)).startswith(b"HTTP/1.1 200 ")


async def test_pipelined_requests_are_answered_in_order(serving: Start) -> None:
    async with serving() as front:
        answer = await front.say(GET + GET.replace(b"/1", b"/2") + GET_AND_CLOSE.replace(b"/1", b"/3"))
    assert [answer.find(f'"id":"{number}"'.encode()) > 0 for number in (1, 2, 3)] == [True] * 3


async def test_a_reply_says_nothing_about_the_server(serving: Start) -> None:
    async with serving() as front:
        answer = await front.say(GET_AND_CLOSE)
    assert b"\r\nserver:" not in answer.lower()
    assert b"\r\ndate:" in answer.lower()


async def test_a_head_has_the_length_of_the_body_and_no_body(serving: Start) -> None:
    async with serving() as front:
        answer = await front.say(GET_AND_CLOSE.replace(b"GET", b"HEAD"))
    assert b"content-length: 22\r\n" in answer.lower()
    assert answer.endswith(b"\r\n\r\n")


async def test_no_content_has_neither_type_nor_length(serving: Start) -> None:
    async def nothing(_: Request) -> Reply:
        return no_content()

    async with serving(nothing) as front:
        answer = await front.say(GET_AND_CLOSE.replace(b"/things/1", b"/nothing"))
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert b"\r\ncontent-length" not in answer.lower()
    assert b"\r\ncontent-type" not in answer.lower()


POST = b"POST /api/greet HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


async def test_a_body_may_come_in_chunks(serving: Start) -> None:
    async with serving() as front, await front.connect() as stream:
        await stream.send_all(POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n" + GREETING[:5] + b"\r\n")
        await stream.send_all(b"f\r\n" + GREETING[5:] + b"\r\n0\r\n\r\n")
        assert (await reply_of(stream)).startswith(b"HTTP/1.1 200 ")


async def test_a_body_that_is_too_long_gets_its_answer_although_it_is_still_coming(serving: Start) -> None:
    """Without a Content-Length nobody knows before; and closing at once would reset the connection unread."""
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    async with serving() as front, await front.connect() as stream:
        await stream.send_all(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(20):
            await stream.send_all(chunk)
        assert problem_in(await reply_of(stream)).status == 413


async def test_a_body_that_announces_its_length_is_refused_before_it_comes(serving: Start) -> None:
    async with serving() as front, await front.connect() as stream:
        await stream.send_all(POST + b"Content-Length: 1000000\r\n\r\n")
        assert problem_in(await reply_of(stream)).status == 413


async def test_after_an_early_refusal_the_connection_can_go_on(serving: Start) -> None:
    async with serving() as front, await front.connect() as stream:
        await stream.send_all(POST.replace(b"/api/greet", b"/nothing") + b"Content-Length: 20\r\n\r\n")
        assert problem_in(await reply_of(stream)).status == 404
        await stream.send_all(GREETING + GET)
        assert (await reply_of(stream)).startswith(b"HTTP/1.1 200 ")


async def test_a_header_flood_is_refused(serving: Start) -> None:
    flood = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 100) for number in range(2000))
    async with serving() as front:
        answer = await front.say(b"GET / HTTP/1.1\r\nHost: x\r\n" + flood + b"\r\n")
    assert problem_in(answer).status == 431
    assert b"X-Content-Type-Options" in answer


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
async def test_what_is_not_http_is_refused(serving: Start, nonsense: bytes) -> None:
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
async def test_odd_targets_are_not_found(serving: Start, target: bytes) -> None:
    async with serving() as front:
        answer = await front.say(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert problem_in(answer).status == 404


@pytest.mark.parametrize("host", [b"", b"\xff", b"a b", b"x/../..", b"[", b"a:b:c"])
async def test_the_host_has_no_say(serving: Start, host: bytes) -> None:
    async with serving() as front:
        answer = await front.say(GET_AND_CLOSE.replace(b"Host: x", b"Host: " + host))
    assert answer.split(b" ")[1] in {b"200", b"400"}


async def test_upgrades_are_not_taken_up(serving: Start) -> None:
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


async def test_a_client_that_closes_its_half_has_left(serving: Start) -> None:
    entered, left = trio.Event(), trio.Event()

    async def wait(_: Request) -> Reply:
        entered.set()
        try:
            await trio.sleep_forever()
        finally:
            left.set()
        raise AssertionError("unreachable")

    async with serving(wait) as front, await front.connect() as stream:
        await stream.send_all(GET.replace(b"/things/1", b"/wait"))
        await entered.wait()
        await stream.send_eof()
        with trio.fail_after(2):
            await left.wait()
            assert await rest_of(stream) == b""


async def test_a_slow_head_is_timed_out_and_an_idle_connection_is_not(serving: Start) -> None:
    async with serving(request_timeout=seconds(0.15)) as front, await front.connect() as idle:
        answer = await front.say(b"GET / HT")
        assert problem_in(answer).status == 408
        await idle.send_all(GET_AND_CLOSE)
        assert (await rest_of(idle)).startswith(b"HTTP/1.1 200 ")


async def drip(stream: trio.SocketStream) -> None:
    """One header line after the other, for ever."""
    while True:
        await stream.send_all(b"X: y\r\n")
        await trio.sleep(0.02)


async def test_dripping_bytes_do_not_win_time(serving: Start) -> None:
    async with serving(request_timeout=seconds(0.2)) as front, await front.connect() as stream:
        await stream.send_all(b"GET / HTTP/1.1\r\n")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drip, stream)
            assert problem_in(await reply_of(stream)).status == 408
            nursery.cancel_scope.cancel()


async def test_a_slow_body_is_timed_out(serving: Start) -> None:
    async with serving(request_timeout=seconds(0.15)) as front, await front.connect() as stream:
        await stream.send_all(POST + b"Content-Length: 20\r\n\r\n{")
        assert problem_in(await reply_of(stream)).status == 408


async def test_an_idle_connection_is_closed_in_the_end(serving: Start) -> None:
    async with serving(keep_alive_timeout=seconds(0.1)) as front:
        assert await front.say() == b""
        assert await front.say(GET) != b""


async def test_a_bug_costs_one_request(serving: Start) -> None:
    async with serving() as front, await front.connect() as stream:
        await stream.send_all(GET.replace(b"/things/1", b"/fail"))
        assert problem_in(await reply_of(stream)).status == 500
        await stream.send_all(GET)
        assert (await reply_of(stream)).startswith(b"HTTP/1.1 200 ")


async def test_connections_beyond_the_bound_wait_for_room(serving: Start) -> None:
    async with serving(max_connections=1) as front:
        first, second = await front.connect(), await front.connect()
        await first.send_all(GET)
        await reply_of(first)
        await second.send_all(GET)
        with trio.move_on_after(0.1) as too_early:
            await second.receive_some()
        assert too_early.cancelled_caught
        await first.aclose()
        assert (await reply_of(second)).startswith(b"HTTP/1.1 200 ")
        await second.aclose()


async def test_a_request_in_flight_is_finished_before_the_front_ends(serving: Start) -> None:
    entered, go_on = trio.Event(), trio.Event()

    async def slow(_: Request) -> Reply:
        entered.set()
        await go_on.wait()
        return json_reply("done")

    async with serving(slow) as front, await front.connect() as stream:
        await stream.send_all(GET.replace(b"/things/1", b"/slow"))
        await entered.wait()
        front.stop()
        await refused(front)
        assert front.listening.reasons() == ("the service is shutting down",)
        go_on.set()
        assert (await rest_of(stream)).endswith(b'"done"')
        await front.ended.wait()


async def test_idle_connections_do_not_hold_up_the_end(serving: Start) -> None:
    started = serving(graceful_timeout=seconds(60))
    async with started as front, await front.connect() as fresh, await front.connect() as used:
        await used.send_all(GET)
        await reply_of(used)
        front.stop()
        with trio.fail_after(1):
            await front.ended.wait()
        assert (await rest_of(fresh), await rest_of(used)) == (b"", b"")


async def test_what_does_not_finish_in_time_is_cut_off(serving: Start) -> None:
    entered = trio.Event()

    async def stuck(_: Request) -> Reply:
        entered.set()
        await trio.sleep_forever()
        raise AssertionError("unreachable")

    async with serving(stuck, graceful_timeout=seconds(0.1)) as front, await front.connect() as stream:
        await stream.send_all(GET.replace(b"/things/1", b"/stuck"))
        await entered.wait()
        front.stop()
        with trio.fail_after(1):
            await front.ended.wait()


async def test_a_client_that_does_not_read_cannot_hold_up_the_end(serving: Start) -> None:
    async def huge(_: Request) -> Reply:
        return Reply(status=200, body=b"x" * 50_000_000, content_type="text/plain")

    async with serving(huge, graceful_timeout=seconds(0.1)) as front, await front.connect() as stream:
        await stream.send_all(GET.replace(b"/things/1", b"/huge"))
        await stream.receive_some(100)
        front.stop()
        with trio.fail_after(1):
            await front.ended.wait()


async def test_a_client_that_does_not_read_is_dropped(serving: Start) -> None:
    async def huge(_: Request) -> Reply:
        return Reply(status=200, body=b"x" * 50_000_000, content_type="text/plain")

    async with serving(huge, request_timeout=seconds(0.1), max_connections=1) as front, await front.connect() as deaf:
        await deaf.send_all(GET.replace(b"/things/1", b"/huge"))
        assert (await front.say(GET_AND_CLOSE)).startswith(b"HTTP/1.1 200 ")  # there is room for it again


async def test_a_client_that_leaves_in_the_middle_makes_room(serving: Start) -> None:
    """With a second request waiting behind a reply that nobody took, Hypercorn's reader used to wait for ever."""

    async def huge(_: Request) -> Reply:
        return Reply(status=200, body=b"x" * 50_000_000, content_type="text/plain")

    async with serving(huge, max_connections=1) as front:
        async with await front.connect() as leaving:
            await leaving.send_all(2 * GET.replace(b"/things/1", b"/huge"))
            await leaving.receive_some(100)
        assert (await front.say(GET_AND_CLOSE)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_mangled_requests_leave_nothing_behind(serving: Start, seed: int) -> None:
    """No 500, no failed connection, and none that is still open when the front is told to end."""
    chance = random.Random(seed)  # noqa: S311  # a test that can be repeated
    with capture_logs() as logs:
        async with serving(max_connections=20, graceful_timeout=seconds(60)) as front:
            async with trio.open_nursery() as nursery:
                for _ in range(100):
                    nursery.start_soon(say_and_leave, front, mangled(chance), chance.random() < 0.5)
            front.stop()
            with trio.fail_after(2):
                await front.ended.wait()
        assert {entry["event"] for entry in logs} <= {"request"}
        assert 500 not in {entry["status"] for entry in logs}


def mangled(chance: random.Random) -> bytes:
    """A request with a few bytes changed, lost or added."""
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n14\r\n" + GREETING + b"\r\n0\r\n\r\n"
    raw = bytearray(chance.choice([GET, GET + GET, chunked, POST + b"Content-Length: 20\r\n\r\n" + GREETING]))
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(raw))
        raw[at : at + chance.randrange(3)] = chance.choice(
            [b"", b"\xff", b"\0", b"\r\n", b"%00", b":", b"\r\nUpgrade: websocket"]
        )
    return bytes(raw)


async def say_and_leave(front: Running, raw: bytes, politely: bool) -> None:
    """Send, and go away with or without waiting for an answer."""
    async with await front.connect() as stream:
        with suppress(trio.BrokenResourceError):
            await stream.send_all(raw)
            if politely:
                await stream.send_eof()
                await rest_of(stream)


async def test_readiness_goes_first_and_the_door_a_little_later(serving: Start) -> None:
    async with serving(drain_delay=seconds(0.3)) as front:
        front.stop()
        while not front.listening.reasons():
            await trio.lowlevel.checkpoint()
        assert (await front.say(GET_AND_CLOSE)).startswith(b"HTTP/1.1 200 ")
        await front.ended.wait()
        await refused(front)


async def test_a_restart_is_not_announced_and_comes_back_on_the_same_port() -> None:
    settings = Settings(bind="127.0.0.1:0", drain_delay=seconds(60))
    listening, app = Listening(settings), app_of(SHOW, settings=settings)
    mailbox: Mailbox[Never] = Mailbox("front", 1)
    for _ in range(2):
        inbox = Inbox(mailbox)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Front(app, settings, listening).run, inbox)
            await listening.wait_serving()
            port = int(listening.url.rpartition(":")[2])
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(GET_AND_CLOSE)
                assert (await rest_of(stream)).startswith(b"HTTP/1.1 200 ")
            inbox.end(Stop.FOR_NOW)
        assert listening.reasons() == ()
    assert listening.url == f"http://127.0.0.1:{port}"


def test_an_address_in_use_is_said_in_a_sentence() -> None:
    first = Listening(Settings(bind="127.0.0.1:0"))
    first.open()
    second = Listening(Settings(bind=first.url.removeprefix("http://")))
    with pytest.raises(CannotListen, match=r"cannot listen on 127\.0\.0\.1:\d+: Address already in use"):
        second.open()
    first.close()
    second.open()
    second.close()


async def test_it_speaks_http_1_1_over_tls(serving: Start) -> None:
    trusted = ssl.create_default_context(cafile=str(PEM))
    trusted.set_alpn_protocols(["h2", "http/1.1"])
    async with serving(certfile=str(PEM), keyfile=str(PEM)) as front:
        stream = await trio.open_ssl_over_tcp_stream(
            "localhost", front.port, ssl_context=trusted, https_compatible=True
        )
        async with stream:
            await stream.send_all(GET_AND_CLOSE)
            received = b"".join([bytes(piece) async for piece in stream])
            assert stream.selected_alpn_protocol() == "http/1.1"
        assert received.startswith(b"HTTP/1.1 200 ")
        assert await front.say(GET_AND_CLOSE) == b""  # plain HTTP on a TLS port


async def test_a_handshake_that_never_comes_is_given_up(serving: Start) -> None:
    async with serving(certfile=str(PEM), keyfile=str(PEM), request_timeout=seconds(0.1)) as front:
        assert await front.say() == b""


async def test_a_missing_certificate_is_said_in_a_sentence() -> None:
    settings = Settings(bind="127.0.0.1:0", certfile="/nowhere.pem", keyfile="/nowhere.key")
    listening = Listening(settings)
    assert listening.url.startswith("https://")
    inbox: Inbox[Never] = Inbox(Mailbox("front", 1))
    with pytest.raises(CannotListen, match="cannot read the TLS certificate"):
        await Front(app_of(SHOW), settings, listening).run(inbox)


async def refused(front: Running) -> None:
    """Wait until new connections are refused."""
    with trio.fail_after(2):
        while True:
            try:
                stream = await front.connect()
            except OSError:
                return
            await stream.aclose()
            await trio.lowlevel.checkpoint()
