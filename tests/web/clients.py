"""A front that serves on a real socket, and clients that speak to it in raw bytes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Never

import msgspec
import trio

from pulsekeeper.actors.inbox import Inbox, Stop
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.web.front import Front
from pulsekeeper.web.listening import Listening
from pulsekeeper.web.problems import Problem
from pulsekeeper.web.settings import Bind, Settings
from pulsekeeper.web.wire import Handler
from tests.web.parts import FAIL, GREET, SHOW, app_of, endpoint, seconds

PEM = Path(__file__).parent / "localhost.pem"  # made for these tests, signed by itself
GREETING = b'{"firstName": "Ada"}'
GET = b"GET /api/things/1 HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /api/greet HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
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


async def reply_of(stream: trio.abc.ReceiveStream) -> bytes:
    """One reply, with a length, on a connection that stays open."""
    received = bytearray()
    with trio.fail_after(2):
        while b"\r\n\r\n" not in received:
            received += await _more_of(stream)
        head, _, body = bytes(received).partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += await _more_of(stream)
    return head + b"\r\n\r\n" + body


async def _more_of(stream: trio.abc.ReceiveStream) -> bytes:
    piece = bytes(await stream.receive_some())
    assert piece, "the server has closed in the middle of a reply"
    return piece


def problem_in(answer: bytes) -> Problem:
    """The problem document that a raw reply consists of."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    return msgspec.json.decode(body, type=Problem)


@asynccontextmanager
async def serving(*handlers: Handler, express: bool = False, **settings: object) -> AsyncIterator[Running]:
    """A front with some endpoints, each at `/api/` and its handler's name, and settings; stopped in the end."""
    chosen = msgspec.structs.replace(Settings(bind=Bind("127.0.0.1:0"), graceful_timeout=seconds(1)), **settings)
    endpoints = [endpoint(handler, f"/api/{handler.__name__}") for handler in handlers]
    everything = (GREET, SHOW, FAIL, *endpoints)
    app = app_of(*(msgspec.structs.replace(each, express=express) for each in everything), settings=chosen)
    listening = Listening(chosen)
    listening.open()
    serves = trio.Event()
    inbox: Inbox[Never] = Inbox(Mailbox("front", 1), serves.set)
    running = Running(listening, inbox)

    async def run() -> None:
        await Front(app, chosen, listening).run(inbox)
        running.ended.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await serves.wait()
        yield running
        running.stop()
        with trio.fail_after(3):
            await running.ended.wait()
