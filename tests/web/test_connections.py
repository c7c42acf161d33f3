"""What no client may do: hold a connection for ever, stop others from being served, or break anything."""

import random
import socket
import struct
from contextlib import suppress

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio.testing import MockClock

from pulsekeeper.web.connections import Connection, Connections
from pulsekeeper.web.wire import Reply, Request
from tests.web.clients import GET, GET_AND_CLOSE, GREETING, PEM, POST, Running, problem_in, reply_of, rest_of, serving
from tests.web.parts import seconds


async def accepted(connections: Connections) -> tuple[Connection, trio.SocketStream]:
    """Both ends of a new connection."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        client = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
        return await connections.accept(listener), client


async def test_what_does_not_go_at_once_is_not_sent() -> None:
    connection, client = await accepted(Connections(1, 1.0))
    async with connection, client:
        sent = 0
        while now := connection.send_nowait(b"x" * 100_000):
            sent += now
        assert connection.send_nowait(b"y") == 0
        received = 0
        while received < sent:
            received += len(await client.receive_some())
        assert connection.send_nowait(b"y") == 1


async def test_nothing_gets_between_what_somebody_else_is_sending() -> None:
    connection, client = await accepted(Connections(1, 10.0))
    async with connection, client, trio.open_nursery() as nursery:
        nursery.start_soon(connection.send_all, b"x" * 10_000_000)
        await trio.testing.wait_all_tasks_blocked()
        received = bytearray(await client.receive_some())
        assert connection.send_nowait(b"y") == 0
        while len(received) < 10_000_000:
            received += await client.receive_some()
        assert set(received) == {ord("x")}


async def test_a_closed_connection_does_not_touch_the_next_one_of_its_number() -> None:
    """The system gives the number of a closed socket to whoever opens the next one."""
    connections = Connections(2, 1.0)
    closed, first = await accepted(connections)
    number = closed.socket.fileno()
    await closed.aclose()
    await first.aclose()
    following = [await accepted(connections), await accepted(connections)]
    assert number in {end.socket.fileno() for pair in following for end in pair}
    with pytest.raises(trio.ClosedResourceError):
        closed.send_nowait(b"x")
    with pytest.raises(trio.ClosedResourceError):
        await closed.receive_some()
    for pair in following:
        for end in pair:
            await end.aclose()


async def test_whoever_receives_hears_of_an_abort() -> None:
    connection, client = await accepted(Connections(1, 1.0))
    async with client, trio.open_nursery() as nursery:

        async def receive() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await connection.receive_some()

        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        connection.abort()


async def test_a_reset_is_said_to_both_ways() -> None:
    connection, client = await accepted(Connections(1, 1.0))
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.socket.close()
    async with connection:
        with pytest.raises(trio.BrokenResourceError):
            await connection.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            connection.send_nowait(b"x")


async def test_a_header_flood_is_refused() -> None:
    flood = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 100) for number in range(2000))
    async with serving() as front:
        answer = await front.say(b"GET / HTTP/1.1\r\nHost: x\r\n" + flood + b"\r\n")
    assert problem_in(answer).status == 431
    assert b"X-Content-Type-Options" in answer


async def test_a_client_that_closes_its_half_has_left() -> None:
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


async def test_a_slow_head_is_timed_out_and_an_idle_connection_is_not() -> None:
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


async def test_dripping_bytes_do_not_win_time() -> None:
    async with serving(request_timeout=seconds(0.2)) as front, await front.connect() as stream:
        await stream.send_all(b"GET / HTTP/1.1\r\n")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drip, stream)
            assert problem_in(await reply_of(stream)).status == 408
            nursery.cancel_scope.cancel()


async def test_a_slow_body_is_timed_out() -> None:
    async with serving(request_timeout=seconds(0.15)) as front, await front.connect() as stream:
        await stream.send_all(POST + b"Content-Length: 20\r\n\r\n{")
        assert problem_in(await reply_of(stream)).status == 408


async def test_an_idle_connection_is_closed_in_the_end() -> None:
    async with serving(keep_alive_timeout=seconds(0.1)) as front:
        assert await front.say() == b""
        assert await front.say(GET) != b""


async def test_connections_beyond_the_bound_wait_for_room() -> None:
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


async def test_a_client_that_does_not_read_is_dropped() -> None:
    async def huge(_: Request) -> Reply:
        return Reply(status=200, body=b"x" * 50_000_000, content_type="text/plain")

    async with serving(huge, request_timeout=seconds(0.1), max_connections=1) as front, await front.connect() as deaf:
        await deaf.send_all(GET.replace(b"/things/1", b"/huge"))
        assert (await front.say(GET_AND_CLOSE)).startswith(b"HTTP/1.1 200 ")  # there is room for it again


async def test_a_client_that_leaves_in_the_middle_makes_room() -> None:
    """With a second request waiting behind a reply that nobody took, Hypercorn's reader used to wait for ever."""

    async def huge(_: Request) -> Reply:
        return Reply(status=200, body=b"x" * 50_000_000, content_type="text/plain")

    async with serving(huge, max_connections=1) as front:
        async with await front.connect() as leaving:
            await leaving.send_all(2 * GET.replace(b"/things/1", b"/huge"))
            await leaving.receive_some(100)
        assert (await front.say(GET_AND_CLOSE)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_mangled_requests_leave_nothing_behind(seed: int, patient_clock: MockClock) -> None:
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


async def test_a_handshake_that_never_comes_is_given_up() -> None:
    async with serving(certfile=str(PEM), keyfile=str(PEM), request_timeout=seconds(0.1)) as front:
        assert await front.say() == b""


async def test_a_handshake_that_never_comes_does_not_hold_up_the_end() -> None:
    started = serving(certfile=str(PEM), keyfile=str(PEM), graceful_timeout=seconds(60))
    with capture_logs() as logs:
        async with started as front, await front.connect():
            await trio.testing.wait_all_tasks_blocked(0.05)
            front.stop()
            with trio.fail_after(1):
                await front.ended.wait()
    assert logs == []


async def test_a_refusal_is_whole_although_the_application_replies_as_well(patient_clock: MockClock) -> None:
    """The answer to what came before got in between, and cut it off."""
    closing = POST + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(GREETING) + GREETING
    async with serving() as front:
        for _ in range(30):
            answer = await front.say(closing + GET)
            assert (answer.count(b"HTTP/1.1 "), problem_in(answer).status) == (1, 400)
