"""Addresses that outlive whoever reads them."""

from collections.abc import Callable
from enum import Enum
from typing import Generic, TypeVar

import msgspec
import trio

from pulsekeeper import errors
from pulsekeeper.actors.question import ActorFailed, Question, hold, open_slot

M = TypeVar("M")
R = TypeVar("R")


class MailboxFull(errors.Overloaded):
    """No room in the mailbox, and the caller did not want to wait for it."""


class MailboxClosed(errors.Unavailable):
    """The actor is being stopped, or has been: it takes no new mail."""


class Stop(Enum):
    """The two ways to end a life."""

    FOR_GOOD = "for good"
    """No new mail; what waits is still delivered, then the inbox ends."""
    FOR_NOW = "for now"
    """The inbox ends at once; what waits stays for the next life."""


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

    def statistics(self) -> MailboxStatistics:
        """How much waits now, how much waited at most, and how much may."""
        depth = self._receiving.statistics().current_buffer_used
        return MailboxStatistics(depth=depth, peak=self._peak, capacity=self._capacity)

    def put_nowait(self, message: M) -> None:
        """Leave a message, or raise `MailboxFull` or `MailboxClosed`."""
        try:
            self._sending.send_nowait(message)
        except trio.WouldBlock:
            raise MailboxFull(f"the mailbox of {self.name} is full ({self._capacity} messages)") from None
        except trio.ClosedResourceError:
            raise MailboxClosed(f"{self.name} has been stopped") from None
        self._note_depth()

    async def put(self, message: M) -> None:
        """Leave a message as soon as there is room."""
        try:
            await self._sending.send(message)
        except trio.ClosedResourceError:
            raise MailboxClosed(f"{self.name} has been stopped") from None
        self._note_depth()

    def take_nowait(self) -> M:
        """The next message that somebody still wants read; `trio.WouldBlock` or `trio.EndOfChannel` without one."""
        while True:
            message = self._receiving.receive_nowait()
            if _is_wanted(message):
                return message

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

    def _note_depth(self) -> None:
        depth = self._receiving.statistics().current_buffer_used
        self._peak = max(self._peak, depth)


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

        Never queues behind a full mailbox: raises `MailboxFull`. Raises `MailboxClosed` when the actor is stopped for
        good, `ActorFailed` when it ends with the question in hand, and whatever the actor answered with `fail`.
        """
        slot = open_slot(question)
        self._mailbox.put_nowait(question)  # type: ignore[arg-type]  # a mailbox of M takes the questions that M lists
        try:
            return await slot.wait()
        finally:
            slot.abandoned = True


class Inbox(Generic[M]):
    """The reading half of a mailbox, for one life of its actor.

    The first read tells the supervisor that the actor has started. Reading raises `trio.EndOfChannel` when it is time
    to end; `async for` then simply stops.
    """

    def __init__(self, mailbox: Mailbox[M], on_started: Callable[[], None] | None = None) -> None:
        self._mailbox = mailbox
        self._on_started = on_started
        self._in_hand: set[Question[object]] = set()
        self._ending = trio.Event()
        self._waiting = trio.CancelScope()
        self.stop: Stop | None = None
        """How this life is to end, once that is known."""
        self.busy_since: float | None = None
        """`trio.current_time()` when the message in hand was taken; `None` while the actor waits for mail."""

    async def get(self) -> M:
        """The next message. Questions whose askers have given up are skipped."""
        self._come_back()
        await trio.lowlevel.checkpoint()  # a busy actor lets others run, and can be cancelled
        if self.stop is Stop.FOR_NOW:
            raise trio.EndOfChannel
        try:
            message = self._mailbox.take_nowait()
        except trio.WouldBlock:
            message = await self._wait()
        return self._take_in_hand(message)

    async def batch(self, limit: int) -> list[M]:
        """Wait for one message, then take what else is already there: at least one, at most `limit`."""
        messages = [await self.get()]
        while len(messages) < limit:
            try:
                messages.append(self._take_in_hand(self._mailbox.take_nowait()))
            except (trio.WouldBlock, trio.EndOfChannel):
                break
        return messages

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

    def let_go(self, question: Question[object]) -> None:
        """A question in hand was answered."""
        self._in_hand.discard(question)

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
        self.busy_since = trio.current_time()
        if isinstance(message, Question):
            self._in_hand.add(message)
            hold(message, self)
        return message


def _is_wanted(message: object) -> bool:
    return not (isinstance(message, Question) and message.abandoned)
