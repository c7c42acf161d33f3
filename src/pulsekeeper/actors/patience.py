"""How long the askers of an actor wait, where all of them wait equally long."""

from collections import deque
from typing import Any, TypeVar

import trio

from pulsekeeper.actors.inbox import Inbox, work_until_end
from pulsekeeper.actors.mailbox import MailboxClosed, MailboxFull, Ref
from pulsekeeper.actors.question import Question

M = TypeVar("M")
R = TypeVar("R")


class Patience:
    """One timer for many askers, in place of a cancel scope for each, which costs more than the asking itself.

    Whoever asked first runs out of it first, so a queue does, and its head is all that the timer has to look at. It is
    for questions that are asked with every request; for all others there are Trio's scopes.
    """

    def __init__(self, seconds: float) -> None:
        """Nobody is given up on while no `Timekeeper` runs."""
        self._seconds = seconds
        self._waiting: deque[tuple[float, Question[Any]]] = deque()
        """Who asked, and until when they wait. Whoever has their answer is dropped on the way."""
        self._someone_waits = trio.Event()

    def __len__(self) -> int:
        """How many are kept in mind: no more than wait, and those who came after the first of these."""
        return len(self._waiting)

    async def ask(self, ref: Ref[M], question: Question[R]) -> R:
        """`ref.ask(question)`, but raises `trio.TooSlowError` when the answer takes too long."""
        self._drop_answered()
        self._waiting.append((trio.current_time() + self._seconds, question))
        self._someone_waits.set()
        try:
            return await ref.ask(question)
        except (MailboxFull, MailboxClosed):
            if not question.asked:  # it was refused at once, so it is the last one, and may be asked again later
                self._waiting.pop()
            raise

    async def keep(self) -> None:
        """Give up on everybody for whom it is time, for ever."""
        while True:
            await self._someone_waits.wait()
            self._drop_answered()
            if not self._waiting:
                self._someone_waits = trio.Event()
            elif self._waiting[0][0] > trio.current_time():
                await trio.sleep_until(self._waiting[0][0])
            else:
                self._waiting.popleft()[1].give_up(trio.TooSlowError())

    def _drop_answered(self) -> None:
        while self._waiting and not self._waiting[0][1].is_awaited:
            self._waiting.popleft()


class Timekeeper:
    """The actor that keeps a patience. It takes no messages."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience

    async def run(self, inbox: Inbox[Any]) -> None:
        """Until the inbox ends."""
        await work_until_end(inbox, self._patience.keep)
