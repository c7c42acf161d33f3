"""Messages that want an answer."""

from typing import Generic, Protocol, TypeVar

import msgspec
import outcome
import trio

from pulsekeeper import errors

R = TypeVar("R")


class ActorFailed(errors.Unavailable):
    """The actor ended while it had the question in hand. `__cause__` is what it died of, if it was an error."""


class _Holder(Protocol):
    """Who has a question in hand and wants to know when it is answered."""

    def let_go(self, question: "Question[object]") -> None: ...


class _Slot(Generic[R]):
    """Where the answer to one question is put, and who waits for it there."""

    __slots__ = ("_outcome", "abandoned", "filled", "holder")

    def __init__(self) -> None:
        self.filled = trio.Event()
        self.abandoned = False
        self.holder: _Holder | None = None
        self._outcome: outcome.Outcome[R] = outcome.Error(RuntimeError("not answered yet"))

    def fill(self, result: outcome.Outcome[R]) -> None:
        self._outcome = result
        self.filled.set()

    async def wait(self) -> R:
        await self.filled.wait()
        return self._outcome.unwrap()


class Question(msgspec.Struct, Generic[R], dict=True, eq=False):
    """A message that is answered with an `R`. Derive from it and add the fields of the question.

    Each instance is asked once. The actor answers with `reply` or `fail`; if it ends without either, the asker gets
    `ActorFailed`.
    """

    def reply(self, value: R) -> None:
        """Answer. Does nothing when the asker has given up; a second answer is a bug and raises `RuntimeError`."""
        self._settle(outcome.Value(value))

    def fail(self, error: Exception) -> None:
        """Answer with an error, which is raised at the asker's `ask`."""
        self._settle(outcome.Error(error))

    @property
    def abandoned(self) -> bool:
        """Whether the asker has given up: work for it is wasted."""
        slot = self._slot
        return slot is not None and slot.abandoned

    @property
    def answered(self) -> bool:
        """Whether `reply` or `fail` has been called."""
        slot = self._slot
        return slot is not None and slot.filled.is_set()

    @property
    def _slot(self) -> _Slot[R] | None:
        return self.__dict__.get("slot")

    def _settle(self, result: outcome.Outcome[R]) -> None:
        slot = self._slot
        if slot is None:
            return  # told rather than asked: nobody waits
        if slot.filled.is_set():
            raise RuntimeError(f"{type(self).__name__} was answered twice")
        if slot.holder is not None:
            slot.holder.let_go(self)  # type: ignore[arg-type]  # R is of no interest to the holder
        slot.fill(result)


def open_slot(question: Question[R]) -> _Slot[R]:
    """Make the place for the answer. For `Ref.ask` alone."""
    if "slot" in question.__dict__:
        raise RuntimeError(f"{type(question).__name__} was asked twice")
    slot: _Slot[R] = _Slot()
    question.__dict__["slot"] = slot
    return slot


def hold(question: Question[R], holder: _Holder) -> None:
    """Note who has the question in hand. For `Inbox` alone."""
    slot = question._slot  # noqa: SLF001  # the two halves of one mechanism
    if slot is not None:
        slot.holder = holder
