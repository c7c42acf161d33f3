"""The reading half of a mailbox."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Generic, TypeVar

import trio

from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.actors.question import ActorFailed, Question, hold

M = TypeVar("M")


class Stop(Enum):
    """The two ways to end a life."""

    FOR_GOOD = "for good"
    """No new mail; what waits is still delivered, then the inbox ends."""
    FOR_NOW = "for now"
    """The inbox ends at once; what waits stays for the next life."""


class Inbox(Generic[M]):
    """The reading half of a mailbox, for one life of its actor.

    The first read tells the supervisor that the actor has started. Reading raises `trio.EndOfChannel` when it is time
    to end; `async for` then simply stops. For one reading task: it is the one that an end for now wakes.
    """

    def __init__(self, mailbox: Mailbox[M], on_started: Callable[[], None] | None = None) -> None:
        self._mailbox = mailbox
        self._on_started = on_started
        self._in_hand: set[Question[Any]] = set()
        self._ending = trio.Event()
        self._waiting = trio.CancelScope()
        self.stop: Stop | None = None
        """How this life is to end, once that is known."""
        self.busy_since: float | None = None
        """`trio.current_time()` when the message in hand was taken; `None` while the actor waits for mail."""

    async def get(self) -> M:
        """The next message. Questions whose askers have given up are skipped."""
        self._come_back()
        if not self._mailbox.is_empty:
            await trio.lowlevel.checkpoint()  # a busy actor lets others run, and can be cancelled
        if self.stop is Stop.FOR_NOW:
            await trio.lowlevel.checkpoint()
            raise trio.EndOfChannel
        try:
            message = self._mailbox.take_nowait()
        except trio.WouldBlock:
            message = await self._wait()
        self.busy_since = trio.current_time()
        return self._take_in_hand(message)

    async def batch(self, limit: int) -> list[M]:
        """Wait for one message, then take what else is already there: at least one, at most `limit`."""
        messages = [await self.get()]
        messages += map(self._take_in_hand, self._mailbox.take_waiting(limit - 1))
        return messages

    def batches(self, limit: int) -> "Batches[M]":
        """Batch after batch, until it is time to end: `async for batch in inbox.batches(256)`."""
        return Batches(self, limit)

    def __aiter__(self) -> "Inbox[M]":
        return self

    async def __anext__(self) -> M:
        try:
            return await self.get()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    async def wait_ending(self) -> Stop:
        """Wait until this life is to end, without reading; for actors that are busy with something other than mail."""
        await self._ending.wait()
        return self.stop or Stop.FOR_NOW

    def end(self, stop: Stop) -> None:
        """Ask the reader to end. For supervisors. Ending *for now* after *for good* changes nothing."""
        if self.stop is None:
            self.stop = stop
        if stop is Stop.FOR_GOOD:
            self._mailbox.close()
        else:
            self._waiting.cancel()
        self._ending.set()

    def close(self, cause: BaseException | None) -> None:
        """The life is over: tell the askers of what was in hand. For supervisors."""
        for question in tuple(self._in_hand):
            failure = ActorFailed(f"{self._mailbox.name} ended before it answered")
            failure.__cause__ = cause
            question.fail(failure)
        self.busy_since = None

    def _come_back(self) -> None:
        self.busy_since = None
        if self._on_started is not None:
            self._on_started()
            self._on_started = None

    async def _wait(self) -> M:
        self._waiting = trio.CancelScope()
        with self._waiting:
            return await self._mailbox.take()
        raise trio.EndOfChannel

    def _take_in_hand(self, message: M) -> M:
        if isinstance(message, Question):
            hold(message, self._in_hand)
        return message


async def work_until_end(inbox: Inbox[Any], *works: Callable[[], Awaitable[object]]) -> None:
    """For an actor whom nobody tells anything: its works side by side until it is time to end, which cuts them short.

    It reads the inbox to hear of the end, and to have started.
    """
    async with trio.open_nursery() as nursery:
        for work in works:
            nursery.start_soon(work)
        async for _ in inbox:
            pass
        nursery.cancel_scope.cancel()


class Batches(Generic[M]):
    """The mail of one life by the batch. No generator: one that a crash leaves behind half-read draws a warning."""

    def __init__(self, inbox: Inbox[M], limit: int) -> None:
        self._inbox = inbox
        self._limit = limit

    def __aiter__(self) -> "Batches[M]":
        return self

    async def __anext__(self) -> list[M]:
        try:
            return await self._inbox.batch(self._limit)
        except trio.EndOfChannel:
            raise StopAsyncIteration from None
