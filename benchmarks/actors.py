"""What a message costs, beside what Trio's own memory channels take for the same conversation."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import trio

from benchmarks.measuring import Case, Column, Experiment, Opened, Plan, Sample, repeat
from pulsekeeper.actors.child import ChildSpec
from pulsekeeper.actors.inbox import Inbox
from pulsekeeper.actors.mailbox import Mailbox, Ref
from pulsekeeper.actors.question import Question
from pulsekeeper.actors.supervisor import Supervisor
from pulsekeeper.actors.tree import open_tree

_ROOM = 1024
_AT_ONCE = 256
_BLOCK = 1000
"""Messages that are told before their reader is waited for."""

Asking = Callable[[int], Awaitable[int]]
Telling = Callable[[int | trio.Event], Awaitable[None]]

_COLUMNS = (
    Column(name="p50", title="p50 µs", factor=1e6, digits=1),
    Column(name="p99", title="p99 µs", factor=1e6, digits=1),
    Column(name="per_second", title="per second"),
    Column(name="of_limit", title="of the limit", digits=2),
)


class Echo(Question[int]):
    """Answered with its number."""

    number: int


class Echoer:
    """Answers what it is asked, all that waits at once."""

    async def run(self, inbox: Inbox[Echo]) -> None:
        """Until the inbox ends."""
        async for questions in inbox.batches(_AT_ONCE):
            for question in questions:
                question.reply(question.number)


class Sink:
    """Throws away what it is told, and sets the events among it."""

    async def run(self, inbox: Inbox[int | trio.Event]) -> None:
        """Until the inbox ends."""
        async for message in inbox:
            if isinstance(message, trio.Event):
                message.set()


class Bare:
    """The same conversations with nothing but memory channels."""

    def __init__(self) -> None:
        self._asking, self._asked = trio.open_memory_channel[int](_ROOM)
        self._replies = [trio.open_memory_channel[int](1) for _ in range(_AT_ONCE)]
        self._telling, self._told = trio.open_memory_channel[int | trio.Event](_ROOM)

    async def ask(self, number: int) -> int:
        """There and back."""
        await self._asking.send(number)
        return await self._replies[number][1].receive()

    async def tell(self, message: int | trio.Event) -> None:
        """There."""
        await self._telling.send(message)

    async def echo(self) -> None:
        """The other end of `ask`."""
        async for number in self._asked:
            self._replies[number][0].send_nowait(number)

    async def sink(self) -> None:
        """The other end of `tell`."""
        async for message in self._told:
            if isinstance(message, trio.Event):
                message.set()


@asynccontextmanager
async def open_stage(_plan: Plan) -> AsyncIterator[Opened]:
    """A tree with the two actors, and the bare tasks beside it."""
    echoes: Mailbox[Echo] = Mailbox("echoer", _ROOM)
    told: Mailbox[int | trio.Event] = Mailbox("sink", _ROOM)
    children = [
        ChildSpec(name="echoer", start=Echoer, mailbox=echoes),
        ChildSpec(name="sink", start=Sink, mailbox=told),
    ]
    bare = Bare()
    async with open_tree(Supervisor(children)) as started, trio.open_nursery() as nursery:
        await started.wait()
        nursery.start_soon(bare.echo)
        nursery.start_soon(bare.sink)
        yield Opened(experiments=[_experiment(bare, echoes.ref, told.ref)])
        nursery.cancel_scope.cancel()


def _experiment(bare: Bare, echoes: Ref[Echo], told: Ref[int | trio.Event]) -> Experiment:
    async def ask(number: int) -> int:
        return await echoes.ask(Echo(number))

    return Experiment(
        title="actors",
        about=(
            "One process. The limit is the same conversation over bare memory channels. "
            f"{_BLOCK} messages told in a row, and {_AT_ONCE} questions at once, share their time equally."
        ),
        labels=("what", "by"),
        columns=_COLUMNS,
        cases=[
            *_pair("one round trip", "ask", partial(_one_at_a_time, bare.ask), partial(_one_at_a_time, ask)),
            *_pair("one way", "tell", partial(_one_way, bare.tell), partial(_one_way, told.tell)),
            *_pair(f"{_AT_ONCE} round trips at once", "ask", partial(_at_once, bare.ask), partial(_at_once, ask)),
        ],
    )


def _pair(
    what: str,
    ours: str,
    limit: Callable[[float], Awaitable[Sample]],
    measured: Callable[[float], Awaitable[Sample]],
) -> tuple[Case, Case]:
    bare = Case(labels=(what, "channel"), measure=limit)
    return bare, Case(labels=(what, ours), measure=measured, limit=bare.labels)


async def _one_at_a_time(ask: Asking, seconds: float) -> Sample:
    return await repeat(partial(ask, 1), seconds)


async def _one_way(tell: Telling, seconds: float) -> Sample:
    async def block() -> None:
        all_read = trio.Event()
        for number in range(_BLOCK):
            await tell(number)
        await tell(all_read)
        await all_read.wait()

    return await repeat(block, seconds, calls=_BLOCK)


async def _at_once(ask: Asking, seconds: float) -> Sample:
    async def block() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(_AT_ONCE):
                nursery.start_soon(ask, number)

    return await repeat(block, seconds, calls=_AT_ONCE)
