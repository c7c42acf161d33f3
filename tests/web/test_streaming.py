"""Long answers over real sockets: piece by piece, no faster than the client reads, and closed whatever happens."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from itertools import repeat

import pytest
import trio
from structlog.testing import capture_logs

from pulsekeeper.errors import Unavailable
from pulsekeeper.web.wire import Reply, Request
from tests.web.clients import GET, GET_AND_CLOSE, rest_of, serving
from tests.web.parts import seconds

EXPORT = GET.replace(b"/things/1", b"/export")
EXPORT_AND_CLOSE = GET_AND_CLOSE.replace(b"/things/1", b"/export")
PIECE = b"x" * 65536


class Source:
    """What a long answer is made from: it notes what is done with it, and may fail after its pieces."""

    def __init__(self, pieces: Iterator[bytes], error: Exception | None = None) -> None:
        self.taken = 0
        self.opened = 0
        self.closed = trio.Event()
        self._pieces = pieces
        self._error = error

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[bytes]]:
        """As a stream is."""
        self.opened += 1
        try:
            yield self
        finally:
            self.closed.set()

    def __aiter__(self) -> "Source":
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        for piece in self._pieces:
            self.taken += 1
            return piece
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    async def export(self, _: Request) -> Reply:
        """A handler."""
        return Reply(status=200, content_type="text/csv", stream=self.open)


async def test_a_stream_arrives_whole_and_the_connection_goes_on() -> None:
    source = Source(iter([b"a,b\r\n", b"", b"1,2\r\n"]))
    async with serving(source.export) as front, await front.connect() as stream:
        await stream.send_all(EXPORT + GET_AND_CLOSE)
        answer = await rest_of(stream)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head.lower()
    assert b"x-request-id: " in head.lower()
    assert body.startswith(b"5\r\na,b\r\n\r\n5\r\n1,2\r\n\r\n0\r\n\r\nHTTP/1.1 200 ")
    assert source.closed.is_set()


async def test_a_head_opens_nothing() -> None:
    source = Source(iter([b"x"]))
    async with serving(source.export) as front:
        answer = await front.say(EXPORT_AND_CLOSE.replace(b"GET", b"HEAD"))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"content-length" not in answer.lower()
    assert answer.endswith(b"\r\n\r\n")
    assert source.opened == 0


async def test_a_client_that_hangs_up_closes_the_source() -> None:
    source = Source(repeat(PIECE))
    with capture_logs() as logs:
        async with serving(source.export) as front:
            async with await front.connect() as stream:
                await stream.send_all(EXPORT)
                await stream.receive_some(100)
            with trio.fail_after(2):
                await source.closed.wait()
    assert [entry["event"] for entry in logs] == ["request"]


async def test_the_source_goes_no_faster_than_the_client() -> None:
    source = Source(repeat(PIECE))
    async with serving(source.export) as front, await front.connect() as stream:
        await stream.send_all(EXPORT)
        taken = await settled(source)
        assert 0 < taken * len(PIECE) < 50_000_000  # what the system's buffers hold


async def settled(source: Source) -> int:
    """How many pieces were taken when no more are."""
    taken = -1
    while taken < source.taken:
        taken = source.taken
        await trio.sleep(0.05)
    return taken


async def test_a_client_that_stops_reading_is_dropped_and_the_source_closed() -> None:
    source = Source(repeat(PIECE))
    async with serving(source.export, request_timeout=seconds(0.1)) as front, await front.connect() as deaf:
        await deaf.send_all(EXPORT)
        with trio.fail_after(2):
            await source.closed.wait()


async def test_a_stream_may_take_longer_than_an_answer() -> None:
    async def slow() -> AsyncGenerator[bytes, None]:
        for _ in range(3):
            await trio.sleep(0.05)
            yield b"x"

    @asynccontextmanager
    async def open_slow() -> AsyncIterator[AsyncIterator[bytes]]:
        async with aclosing(slow()) as pieces:
            yield pieces

    async def export(_: Request) -> Reply:
        return Reply(status=200, content_type="text/csv", stream=open_slow)

    async with serving(export, answer_timeout=seconds(0.01)) as front:
        assert (await front.say(EXPORT_AND_CLOSE)).endswith(b"\r\n0\r\n\r\n")


@pytest.mark.parametrize("request_line", [EXPORT, EXPORT.replace(b"HTTP/1.1", b"HTTP/1.0")])
async def test_a_failure_midway_resets_the_connection(request_line: bytes) -> None:
    """An HTTP/1.0 client, such as a proxy, knows the end of an answer only by the way the connection is closed."""
    source = Source(iter([b"1,2\r\n"]), Unavailable("the database is gone"))
    with capture_logs() as logs:
        async with serving(source.export) as front, await front.connect() as stream:
            await stream.send_all(request_line)
            with pytest.raises(trio.BrokenResourceError):
                await rest_of(stream)
    assert source.closed.is_set()
    (failure,) = [entry for entry in logs if entry["event"] != "request"]
    assert (failure["event"], failure["log_level"], failure["reason"]) == (
        "reply_cut_off",
        "warning",
        "the database is gone",
    )


async def test_a_bug_in_a_stream_is_logged_once_with_its_traceback() -> None:
    bug = RuntimeError("a bug")
    with capture_logs() as logs:
        async with serving(Source(iter([b"x"]), bug).export) as front, await front.connect() as stream:
            await stream.send_all(EXPORT)
            with pytest.raises(trio.BrokenResourceError):
                await rest_of(stream)
            assert (await front.say(GET_AND_CLOSE)).startswith(b"HTTP/1.1 200 ")
    (failure,) = [entry for entry in logs if entry["event"] != "request"]
    assert (failure["event"], failure["log_level"], failure["exc_info"]) == ("reply_cut_off", "error", bug)


async def test_a_shutdown_waits_for_a_stream_and_then_cuts_it_off() -> None:
    source = Source(repeat(PIECE))
    async with serving(source.export, graceful_timeout=seconds(0.1)) as front, await front.connect() as stream:
        await stream.send_all(EXPORT)
        await stream.receive_some(100)
        front.stop()
        with trio.fail_after(1):
            await front.ended.wait()
        assert source.closed.is_set()
        with pytest.raises(trio.BrokenResourceError):
            await rest_of(stream)
