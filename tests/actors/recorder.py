"""Actors that do as they are told, for the tests of supervision."""

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import trio
from trio.testing import wait_all_tasks_blocked

from pulsekeeper import errors
from pulsekeeper.actors.child import ChildSpec
from pulsekeeper.actors.inbox import Inbox
from pulsekeeper.actors.mailbox import Mailbox, Ref
from pulsekeeper.actors.question import Question
from pulsekeeper.actors.restarts import Budget
from pulsekeeper.actors.supervisor import Supervisor
from pulsekeeper.actors.tree import open_tree

PLENTY = Budget(limit=1000, period=5.0)


class Echo(Question[str]):
    text: str


class Deaf(msgspec.Struct):
    """Does not even hear a cancellation for so many seconds."""

    seconds: float


class Recorder:
    """A family of actors that note their starts and ends, and do as they are told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.boxes: dict[str, Mailbox[Any]] = {}

    def spec(self, name: str, *, before_reading: Callable[[], Awaitable[None]] | None = None, **how: Any) -> ChildSpec:
        mailbox = self.boxes.setdefault(name, Mailbox(name, 8))
        return ChildSpec(name=name, start=lambda: _Recorded(self.notes, name, before_reading), mailbox=mailbox, **how)

    async def tell(self, name: str, message: object) -> None:
        await self.boxes[name].ref.tell(message)
        await wait_all_tasks_blocked()


class _Recorded:
    def __init__(self, notes: list[str], name: str, before_reading: Callable[[], Awaitable[None]] | None) -> None:
        self._notes = notes
        self._name = name
        self._before_reading = before_reading

    async def run(self, inbox: Inbox[Any]) -> None:
        self._notes.append(f"+{self._name}")
        try:
            if self._before_reading is not None:
                await self._before_reading()
            async for message in inbox:
                if await self._obey(message):
                    return
        finally:
            self._notes.append(f"-{self._name}")

    async def _obey(self, message: object) -> bool:
        match message:
            case Exception():
                raise message
            case Echo(text=text):
                message.reply(text)
            case "end":
                return True
            case float() | int():
                await trio.sleep(message)
            case Deaf(seconds=seconds):
                with trio.CancelScope(shield=True):
                    await trio.sleep(seconds)
            case _:
                self._notes.append(f"{self._name}:{message}")
        return False


async def ask_and_note(ref: Ref[Any], answers: list[str]) -> None:
    """Ask, and note the answer, or the name of the error that came instead."""
    try:
        answers.append(await ref.ask(Echo("hello")))
    except errors.PulsekeeperError as error:
        answers.append(type(error).__name__)


def crashing(times: int) -> Callable[[], Awaitable[None]]:
    """What to do before the first read in order to crash so often."""
    left = iter(range(times))

    async def crash() -> None:
        if next(left, None) is not None:
            raise ValueError("not yet")

    return crash


def branch(name: str, start: Callable[[], Supervisor], **how: Any) -> ChildSpec:
    """A supervisor as a child, with all the time that its children have."""
    return ChildSpec(name=name, start=start, mailbox=Mailbox(name, 8), grace=math.inf, **how)


@asynccontextmanager
async def open_branch(start: Callable[[], Supervisor]) -> AsyncIterator[Ref[Any]]:
    """A tree whose only child is the supervisor that `start` makes, to be told of further children."""
    spec = branch("branch", start)
    async with open_tree(Supervisor([spec])) as started:
        await started.wait()
        yield spec.mailbox.ref
