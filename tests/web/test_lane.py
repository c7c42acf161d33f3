"""The express lane on real connections: how they begin, go on and end."""

import ssl

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio.testing import MockClock

from pulsekeeper.web.connections import Connection
from pulsekeeper.web.waiting import ClientWait
from pulsekeeper.web.wire import Reply, Request, json_reply
from tests.web.clients import GET, GREETING, PEM, POST, problem_in, reply_of, rest_of, serving
from tests.web.parts import seconds

SAY = b"GET /api/say HTTP/1.1\r\nHost: x\r\n\r\n"
GREET = POST + b"Content-Length: %d\r\n\r\n" % len(GREETING) + GREETING


async def say(_: Request) -> Reply:
    """Answers at once."""
    return json_reply("said")


class Door:
    """A handler that waits, and says that it does."""

    def __init__(self) -> None:
        self.entered = trio.Event()
        self.go_on = trio.Event()

        async def slow(_: Request) -> Reply:
            self.entered.set()
            await self.go_on.wait()
            return json_reply("done")

        self.handler = slow


@pytest.fixture
def slow() -> Door:
    """A slow handler, at `/api/slow`."""
    return Door()


async def test_a_connection_goes_on_for_as_long_as_the_server_lets_it() -> None:
    """Hypercorn closes one after a thousand requests, so that clients get to be spread anew; so does the lane."""
    async with serving(say, express=True) as front, await front.connect() as stream:
        replies = []
        for _ in range(1000):
            await stream.send_all(SAY)
            replies.append(await reply_of(stream))
        assert await rest_of(stream) == b""
    assert {reply.endswith(b'"said"') for reply in replies} == {True}
    assert [b"connection: close" in reply for reply in replies] == [False] * 999 + [True]


async def test_a_connection_has_as_many_requests_whoever_answers_them() -> None:
    """Hypercorn and the lane each counted to a thousand."""
    async with serving(say, express=True) as front, await front.connect() as stream:
        replies = []
        for number in range(1000):
            await stream.send_all(GET if 300 <= number < 500 or number == 998 else SAY)
            replies.append(await reply_of(stream))
        assert await rest_of(stream) == b""
    assert [b"connection: close" in reply for reply in replies] == [False] * 999 + [True]


async def test_a_request_is_answered_although_its_client_will_not_send_any_more() -> None:
    async with serving(say, express=True) as front, await front.connect() as stream:
        await stream.send_all(SAY)
        await stream.send_eof()
        assert (await rest_of(stream)).endswith(b'"said"')


async def test_requests_for_the_lane_and_for_others_share_a_connection() -> None:
    async with serving(say, express=True) as front, await front.connect() as stream:
        for _ in range(20):
            for request, end in ((SAY, b'"said"'), (GET, b'"page":null}'), (GREET, b'12:00:00Z"}')):
                await stream.send_all(request)
                assert (await reply_of(stream)).endswith(end)


async def test_many_requests_at_once_do_not_keep_others_waiting() -> None:
    order = []

    async def note(request: Request) -> Reply:
        order.append(request.first("who"))
        return json_reply("noted")

    ask = SAY.replace(b"/say", b"/note?who=%b")
    async with serving(note, express=True) as front:
        for _ in range(5):
            order.clear()
            async with await front.connect() as many, await front.connect() as one:
                await many.send_all(300 * (ask % b"many"))
                await one.send_all(ask % b"one")
                await reply_of(one)
                assert order.index("one") < 10


async def test_what_is_under_way_is_finished_before_the_server_ends(slow: Door) -> None:
    async with serving(slow.handler, express=True) as front, await front.connect() as stream:
        await stream.send_all(SAY.replace(b"/say", b"/slow"))
        await slow.entered.wait()
        front.stop()
        await trio.testing.wait_all_tasks_blocked()
        slow.go_on.set()
        assert (await rest_of(stream)).endswith(b'"done"')
        await front.ended.wait()


async def test_what_does_not_finish_in_time_is_cut_off(slow: Door) -> None:
    quickly = serving(slow.handler, express=True, graceful_timeout=seconds(0.1))
    async with quickly as front, await front.connect() as stream:
        await stream.send_all(SAY.replace(b"/say", b"/slow"))
        await slow.entered.wait()
        front.stop()
        with trio.fail_after(2):
            await front.ended.wait()


async def test_connections_that_have_only_used_the_lane_do_not_hold_up_the_end() -> None:
    started = serving(say, express=True, graceful_timeout=seconds(60))
    async with started as front, await front.connect() as fresh, await front.connect() as used:
        await used.send_all(SAY)
        await reply_of(used)
        front.stop()
        with trio.fail_after(1):
            await front.ended.wait()
        assert (await rest_of(fresh), await rest_of(used)) == (b"", b"")


async def test_an_idle_connection_is_closed_after_a_while() -> None:
    async with serving(say, express=True, keep_alive_timeout=seconds(0.1)) as front, await front.connect() as stream:
        await stream.send_all(SAY)
        await reply_of(stream)
        assert await rest_of(stream) == b""


async def test_who_stops_in_the_middle_of_a_body_is_told_so() -> None:
    async with serving(express=True, request_timeout=seconds(0.2)) as front, await front.connect() as stream:
        await stream.send_all(GREET[:-3])
        assert problem_in(await rest_of(stream)).status == 408


async def test_who_is_slow_is_waited_for() -> None:
    """Longer than the lane waits, and as long as Hypercorn does."""
    async with serving(express=True) as front, await front.connect() as stream:
        await stream.send_all(GREET[:-3])
        await trio.sleep(1.1)
        await stream.send_all(GREET[-3:])
        assert (await reply_of(stream)).startswith(b"HTTP/1.1 200 ")


async def test_who_hangs_up_breaks_nothing(slow: Door) -> None:
    async with serving(slow.handler, say, express=True) as front:
        for part in (GREET[:20], GREET[:-3], SAY.replace(b"/say", b"/slow")):
            async with await front.connect() as stream:
                await stream.send_all(part)
        await slow.entered.wait()
        slow.go_on.set()
        assert (await front.say(SAY.replace(b"Host", b"Connection: close\r\nHost"))).endswith(b'"said"')


@pytest.mark.parametrize("begun_with", [0, 20], ids=["idle", "half-way"])
async def test_what_arrives_in_the_moment_of_the_end_is_answered(
    begun_with: int, patient_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was begun all the same, and cancelled half-way: it had been counted, perhaps stored, and nobody was told."""
    receive, begin, scopes = Connection.receive_some, ClientWait.begin, list[trio.CancelScope]()

    def note(reading: ClientWait) -> trio.CancelScope:
        scopes.append(begin(reading))
        return scopes[-1]

    async def receive_late(connection: Connection, most: int | None = None) -> bytes | bytearray:
        data = await receive(connection, most)
        if data.endswith(SAY[-20:]) and len(scopes) == 1:
            patient_clock.jump(1)  # so that it was time, and somebody has said so
            scopes[0].cancel()
        return data

    async def store(_: Request) -> Reply:
        await trio.lowlevel.checkpoint()
        return json_reply("stored")

    monkeypatch.setattr(ClientWait, "begin", note)
    monkeypatch.setattr(Connection, "receive_some", receive_late)
    ask = SAY.replace(b"/say", b"/store")
    async with serving(store, express=True, keep_alive_timeout=seconds(1)) as front, await front.connect() as stream:
        if begun_with:
            await stream.send_all(ask[:begun_with])
            await trio.testing.wait_all_tasks_blocked(0.01)
        await stream.send_all(ask[begun_with:])
        assert (await reply_of(stream)).endswith(b'"stored"')
        await stream.send_all(ask)
        assert (await reply_of(stream)).endswith(b'"stored"')
        began = trio.current_time()
        with trio.fail_after(20):
            assert await stream.receive_some() == b""
        assert trio.current_time() - began == pytest.approx(1, abs=0.2)


async def test_a_handler_that_gives_a_stream_by_mistake_is_noticed() -> None:
    """Its answer was 200 with nothing in it."""

    async def pour(_: Request) -> Reply:
        return Reply(status=200, stream=lambda: None)  # type: ignore[arg-type, return-value]  # nobody opens it

    with capture_logs() as logs:
        async with serving(pour, express=True) as front:
            assert await front.say(SAY.replace(b"/say", b"/pour")) == b""
    [failure] = [entry for entry in logs if entry["event"] == "connection_failed"]
    assert failure["log_level"] == "error"


async def test_it_is_open_over_tls_as_well() -> None:
    trusted = ssl.create_default_context(cafile=str(PEM))
    started = serving(say, express=True, certfile=str(PEM), keyfile=str(PEM))
    async with started as front, await front.connect() as plain:
        stream = trio.SSLStream(plain, trusted, server_hostname="localhost", https_compatible=True)
        for request, end in ((SAY, b'"said"'), (GET, b'"page":null}'), (SAY, b'"said"')):
            await stream.send_all(request)
            assert (await reply_of(stream)).endswith(end)
        await stream.aclose()
