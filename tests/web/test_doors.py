"""The express lane and Quart are two doors to one handler: whoever knocks cannot tell which one has opened."""

import random
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec
import pytest
import trio
import trio.lowlevel
from structlog.testing import capture_logs
from trio.testing import MockClock

from pulsekeeper.web import operations
from pulsekeeper.web.wire import Reply, Request, json_reply
from tests.web.clients import Running, serving
from tests.web.corpora import CASES, GREET, mangled, variations
from tests.web.parts import seconds

_VARYING = re.compile(rb"(x-request-id|date): [^\r]*", re.IGNORECASE)
_REQUEST_ID = re.compile(rb'"requestId":"[^"]*"')
Told = list[bytes]


@asynccontextmanager
async def both_doors() -> AsyncIterator[tuple[Running, Running]]:
    """Two fronts, the same but for the lane, which soon close what is silent."""
    brief = {"request_timeout": seconds(1.5), "keep_alive_timeout": seconds(4)}
    async with serving(say, express=True, **brief) as lane, _serving_health_by_quart(**brief) as quart:
        with capture_logs():
            yield lane, quart


@asynccontextmanager
async def _serving_health_by_quart(**settings: object) -> AsyncIterator[Running]:
    """A front without a lane: `/healthz` is on it in every application, so it has to be taken off."""
    original = operations._healthz
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operations, "_healthz", lambda: msgspec.structs.replace(original(), express=False))
        async with serving(say, express=False, **settings) as quart:
            yield quart


async def say(_: Request) -> Reply:
    """A handler without a body to read."""
    return json_reply("said")


async def told(front: Running, pieces: Sequence[bytes], *, says_so: bool) -> Told:
    """All replies until the server closes, as far as they must be the same: statuses, bodies, and the sorted fields.

    The client has no more to send, and `says_so` or does not.
    """
    received = bytearray()
    async with await front.connect() as stream:
        with suppress(trio.BrokenResourceError):
            for piece in pieces:
                await stream.send_all(piece)
                await trio.lowlevel.checkpoint()
            if says_so:
                await stream.send_eof()
        with suppress(trio.BrokenResourceError), trio.fail_after(20):
            while more := await stream.receive_some():
                received += more
    return [_comparable(part) for part in re.split(rb"(?=HTTP/1\.1 \d{3} )", bytes(received)) if part]


async def differences(cases: Mapping[str, Sequence[bytes]], *, says_so: bool = False) -> dict[str, tuple[Told, Told]]:
    """What the doors disagree about, all of it asked at once."""
    found = {}

    async def knock(name: str, pieces: Sequence[bytes], doors: tuple[Running, Running]) -> None:
        answers = [await told(door, pieces, says_so=says_so) for door in doors]
        if answers[0] != answers[1]:
            found[name] = (answers[0], answers[1])

    async with both_doors() as doors, trio.open_nursery() as nursery:
        for name, pieces in cases.items():
            nursery.start_soon(knock, name, pieces, doors)
    return found


def _comparable(reply: bytes) -> bytes:
    head, _, body = reply.partition(b"\r\n\r\n")
    start, *fields = _VARYING.sub(b"", head).lower().split(b"\r\n")
    return b"\r\n".join([start, *sorted(filter(None, fields))]) + b"\r\n\r\n" + _REQUEST_ID.sub(b"", body)


async def test_both_doors_say_the_same(patient_clock: MockClock) -> None:
    assert await differences(CASES) == {}


async def test_both_doors_say_the_same_to_every_variation(patient_clock: MockClock) -> None:
    assert await differences(variations()) == {}


async def test_both_doors_say_the_same_to_every_variation_in_pieces(patient_clock: MockClock) -> None:
    """But for who says `close` and goes on: whether Hypercorn's refusal still gets through is a matter of luck."""
    whole = {name: data for name, [data] in variations().items() if len(data) < 1000 and "close, " not in name}
    pieces = {name: [data[at : at + 11] for at in range(0, len(data), 11)] for name, data in whole.items()}
    assert await differences(pieces) == {}


async def test_both_doors_say_the_same_to_half_a_request_and_no_more(patient_clock: MockClock) -> None:
    """The lane left without a word."""
    assert await differences({str(end): (GREET[:end],) for end in range(len(GREET))}, says_so=True) == {}


async def test_both_doors_say_the_same_to_nonsense(patient_clock: MockClock) -> None:
    chance = random.Random(7)  # noqa: S311  # the same nonsense in every run
    assert await differences({repr(pieces): pieces for pieces in (mangled(chance) for _ in range(300))}) == {}
