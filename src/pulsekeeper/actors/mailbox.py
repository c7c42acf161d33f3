"""Addresses that outlive whoever reads them."""

from contextlib import suppress
from typing import Generic, TypeVar

import msgspec
import trio

from pulsekeeper import errors
from pulsekeeper.actors.question import Question, wait_for_answer

M = TypeVar("M")
R = TypeVar("R")


class MailboxFull(errors.Overloaded):
    """No room in the mailbox, and the caller did not want to wait for it."""


class MailboxClosed(errors.Unavailable):
    """The actor is being stopped, or has been: it takes no new mail."""


class MailboxStatistics(msgspec.Struct, frozen=True):
    """A snapshot of one mailbox."""

    depth: int
    peak: int
    capacity: int


class Mailbox(Generic[M]):
    """A bounded queue with a name. It belongs to the address: an actor that is restarted finds its mail again."""

    def __init__(self, name: str, capacity: int) -> None:
        self.name = name
        self._capacity = capacity
        self._peak = 0
        self._closed = False
        self._sending, self._receiving = trio.open_memory_channel[M](capacity)

    @property
    def ref(self) -> "Ref[M]":
        """The sending half, to be handed to whoever may speak to the actor."""
        return Ref(self)

    @property
    def closed(self) -> bool:
        """Whether new mail is refused."""
        return self._closed

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self._note_depth() == 0

    def statistics(self) -> MailboxStatistics:
        """How much waits now, how much waited at most, and how much may."""
        return MailboxStatistics(depth=self._note_depth(), peak=self._peak, capacity=self._capacity)

    def put_nowait(self, message: M) -> None:
        """Leave a message, or raise `MailboxFull` or `MailboxClosed`."""
        try:
            self._sending.send_nowait(message)
        except trio.WouldBlock:
            raise MailboxFull(f"the mailbox of {self.name} is full ({self._capacity} messages)") from None
        except trio.ClosedResourceError:
            raise MailboxClosed(f"{self.name} has been stopped") from None

    async def put(self, message: M) -> None:
        """Leave a message as soon as there is room."""
        try:
            await self._sending.send(message)
        except trio.ClosedResourceError:
            raise MailboxClosed(f"{self.name} has been stopped") from None

    def take_nowait(self) -> M:
        """The next message that somebody still wants read; `trio.WouldBlock` or `trio.EndOfChannel` without one."""
        self._note_depth()
        return self._next_wanted()

    def take_waiting(self, limit: int) -> list[M]:
        """What waits already and somebody still wants read, at most `limit` messages."""
        self._note_depth()
        taken: list[M] = []
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            while len(taken) < limit:
                taken.append(self._next_wanted())
        return taken

    async def take(self) -> M:
        """Wait for the next message that somebody still wants read; `trio.EndOfChannel` when there can be none."""
        while True:
            message = await self._receiving.receive()
            if _is_wanted(message):
                return message

    def close(self) -> None:
        """Refuse new mail from now on. What waits can still be read."""
        self._closed = True
        self._sending.close()

    def discard(self) -> None:
        """Close, throw away what waits, and tell those who asked."""
        self.close()
        while True:
            try:
                message = self.take_nowait()
            except (trio.WouldBlock, trio.EndOfChannel):
                return
            if isinstance(message, Question):
                message.fail(MailboxClosed(f"{self.name} was stopped before it read the question"))

    def _next_wanted(self) -> M:
        while True:
            message = self._receiving.receive_nowait()
            if _is_wanted(message):
                return message

    def _note_depth(self) -> int:
        """Looked at before mail is taken: nothing else makes the depth shrink, so no peak is missed."""
        depth = self._receiving.statistics().current_buffer_used
        self._peak = max(self._peak, depth)
        return depth


class Ref(Generic[M]):
    """The sending half of a mailbox. It never dangles: the address outlives the actor."""

    __slots__ = ("_mailbox",)

    def __init__(self, mailbox: Mailbox[M]) -> None:
        self._mailbox = mailbox

    async def tell(self, message: M) -> None:
        """Send, waiting for room: back-pressure. Raises `MailboxClosed`."""
        await self._mailbox.put(message)

    def tell_nowait(self, message: M) -> None:
        """Send, or raise `MailboxFull` at once: shed load."""
        self._mailbox.put_nowait(message)

    async def ask(self, question: Question[R]) -> R:
        """Send a question and wait for its answer. The deadline is the caller's cancel scope.

        Never queues behind a full mailbox: raises `MailboxFull`, after which the question may be asked again. Raises
        `MailboxClosed` when the actor is stopped for good, `ActorFailed` when it ends with the question in hand, and
        whatever the actor answered with `fail`.
        """
        if question.asked:
            raise RuntimeError(f"{type(question).__name__} was asked twice")
        self._mailbox.put_nowait(question)  # type: ignore[arg-type]  # a mailbox of M takes the questions that M lists
        return await wait_for_answer(question)


def _is_wanted(message: object) -> bool:
    return not isinstance(message, Question) or message.is_wanted
