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

from pulsekeeper.web import operations
from pulsekeeper.web.wire import Reply, Request, json_reply
from tests.web.clients import Running, serving
from tests.web.parts import seconds

_VARYING = re.compile(rb"(x-request-id|date): [^\r]*", re.IGNORECASE)
_REQUEST_ID = re.compile(rb'"requestId":"[^"]*"')
BODY = b'{"firstName": "Ada", "times": 3}'
HEAD = b"POST /api/greet HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
GREET = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
FAIL = b"GET /api/fail HTTP/1.1\r\nHost: x\r\n\r\n"
GET = b"GET /api/say HTTP/1.1\r\nHost: x\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
THINGS = b"GET /api/things/1 HTTP/1.1\r\nHost: x\r\n\r\n"


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


async def told(front: Running, pieces: Sequence[bytes]) -> Told:
    """All replies until the server closes, as far as they must be the same: statuses, bodies, and the sorted fields."""
    received = bytearray()
    async with await front.connect() as stream:
        with suppress(trio.BrokenResourceError):
            for piece in pieces:
                await stream.send_all(piece)
                await trio.lowlevel.checkpoint()
        with suppress(trio.BrokenResourceError), trio.fail_after(20):
            while more := await stream.receive_some():
                received += more
    return [_comparable(part) for part in re.split(rb"(?=HTTP/1\.1 \d{3} )", bytes(received)) if part]


async def differences(cases: Mapping[str, Sequence[bytes]]) -> dict[str, tuple[Told, Told]]:
    """What the doors disagree about, all of it asked at once."""
    found = {}

    async def knock(name: str, pieces: Sequence[bytes], doors: tuple[Running, Running]) -> None:
        answers = [await told(door, pieces) for door in doors]
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


CASES = {
    "a plain request": (GREET,),
    "three of them at once": (GREET * 3,),
    "mixed with others": (GREET + THINGS + GREET + GET + THINGS + GREET,),
    "in many pieces": tuple(GREET[place : place + 7] for place in range(0, len(GREET), 7)),
    "byte by byte": tuple(GREET[place : place + 1] for place in range(len(GREET))),
    "health": (HEALTH,),
    "health, mixed with others": (HEALTH + GREET + HEALTH + THINGS + HEALTH,),
    "health, with a query": (HEALTH.replace(b"/healthz", b"/healthz?a=1&b=%20"),),
    "health, with a body": (HEALTH.replace(b"Host: x", b"Host: x\r\nContent-Length: 2") + b"{}",),
    "health, by head": (HEALTH.replace(b"GET", b"HEAD"),),
    "a bug": (FAIL,),
    "a bug, twice, and something else": (FAIL + FAIL + GREET,),
    "another method": (GREET.replace(b"POST", b"PUT"),),
    "a head request": (GET.replace(b"GET", b"HEAD"),),
    "another type": (GREET.replace(b"application/json", b"text/html"),),
    "text": (GREET.replace(b"application/json", b"text/plain"),),
    "no JSON": (GREET.replace(b"{", b"["),),
    "wrong members": (GREET.replace(b'"Ada"', b"12345"),),
    "no body": (HEAD + b"\r\n",),
    "an empty body": (HEAD + b"Content-Length: 0\r\n\r\n",),
    "too long a body": (HEAD + b"Content-Length: 16385\r\n\r\n" + b" " * 16385,),
    "the longest body": (HEAD + b"Content-Length: 16384\r\n\r\n" + BODY + b" " * (16384 - len(BODY)),),
    "an announced gigabyte": (HEAD + b"Content-Length: 1000000000\r\n\r\n",),
    "a query with a NUL": (GREET.replace(b"/api/greet", b"/api/greet?a=%00"),),
    "a query that is not UTF-8": (GREET.replace(b"/api/greet", b"/api/greet?a=%ff"),),
    "an origin": (GREET.replace(b"Host: x", b"Host: x\r\nOrigin: https://site.example"),),
    "a request id": (GREET.replace(b"Host: x", b"Host: x\r\nX-Request-ID: abc"),),
    "close": (GREET.replace(b"Host: x", b"Host: x\r\nConnection: close"),),
    "HTTP/1.0": (GREET.replace(b"HTTP/1.1", b"HTTP/1.0"),),
    "expect": (GREET.replace(b"Host: x", b"Host: x\r\nExpect: 100-continue"),),
    "chunked": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n20\r\n" + BODY + b"\r\n0\r\n\r\n",),
    "both lengths": (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GREET,),
    "two lengths": (GREET.replace(b"Host: x", b"Host: x\r\nContent-Length: 4"),),
    "the same length twice": (GREET.replace(b"Host: x", b"Host: x\r\nContent-Length: %d" % len(BODY)),),
    "a folded line": (GREET.replace(b"Host: x", b"Host: x\r\nX: a\r\n b"),),
    "a bare LF": (GREET.replace(b"\r\n", b"\n"),),
    "a bare CR": (GREET.replace(b"Host: x", b"Host: x\rX: y"),),
    "a space before the colon": (GREET.replace(b"Content-Length:", b"Content-Length :"),),
    "no host": (GREET.replace(b"Host: x\r\n", b""),),
    "two hosts": (GREET.replace(b"Host: x", b"Host: x\r\nHost: y"),),
    "a NUL": (GREET.replace(b"Host: x", b"Host: x\r\nX: a\0b"),),
    "a tab in a field": (GREET.replace(b"Host: x", b"Host: x\r\nX: a\tb"),),
    "obs-text": (GREET.replace(b"Host: x", b"Host: x\r\nX: caf\xe9"),),
    "empty lines first": (b"\r\n\r\n" + GREET,),
    "an absolute target": (GREET.replace(b" /api", b" http://x/api"),),
    "a fragment": (GREET.replace(b"/api/greet", b"/api/greet#a"),),
    "a percent in the path": (GREET.replace(b"/api/greet", b"/api/%67reet"),),
    "a double slash": (GREET.replace(b"/api/greet", b"//api/greet"),),
    "HTTP/2 by force": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",),
    "garbage": (b"\x00\xff" * 20,),
    "garbage after a request": (GREET + b"\x00\xff" * 20,),
    "half a head": (GREET[:30],),
    "half a body": (GREET[:-5],),
    "half a method": (b"PO",),
    "nothing": (),
    "a long head": (GREET.replace(b"Host: x", b"Host: x\r\nX: " + b"a" * 17000),),
    "many fields": (GREET.replace(b"Host: x", b"Host: x" + b"\r\nX: a" * 200),),
}


async def test_both_doors_say_the_same() -> None:
    assert await differences(CASES) == {}


SNIPPETS = (
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\0", b"\xff", b"0", b"9", b"Content-Length: 3\r\n", b"HTTP/1.0",
    b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"/", b"?", b"%", b"GET ",
)  # fmt: skip


def mangled(chance: random.Random) -> list[bytes]:
    """Some requests, damaged here and there, in some pieces."""
    data = bytearray(b"".join(chance.choices([GREET, THINGS, GET], k=chance.randint(1, 3))))
    for _ in range(chance.randint(0, 3)):
        place = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                data[place:place] = chance.choice(SNIPPETS)
            case 1:
                del data[place : place + chance.randint(1, 5)]
            case _:
                data[place] = chance.randrange(256)
    cuts = sorted(chance.sample(range(len(data)), k=min(len(data), chance.randint(0, 4))))
    return [bytes(data[start:end]) for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


async def test_both_doors_say_the_same_to_nonsense() -> None:
    chance = random.Random(7)  # noqa: S311  # the same nonsense in every run
    for _ in range(3):
        assert await differences({repr(pieces): pieces for pieces in (mangled(chance) for _ in range(100))}) == {}
