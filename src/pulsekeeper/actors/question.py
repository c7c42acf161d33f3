"""Messages that want an answer."""

from typing import Any, Generic, TypeVar

import msgspec
import outcome
import trio

from pulsekeeper import errors

R = TypeVar("R")


class ActorFailed(errors.Unavailable):
    """The actor ended while it had the question in hand. `__cause__` is what it died of, if it was an error."""


class _Slot(Generic[R]):
    """Where the answer to one question is put, and who waits for it there."""

    __slots__ = ("_outcome", "abandoned", "filled", "hand")

    def __init__(self) -> None:
        self.filled = trio.Event()
        self.abandoned = False
        self.hand: set[Question[Any]] | None = None
        """All that the actor which has this question has in hand; `None` while the question waits in a mailbox."""
        self._outcome: outcome.Outcome[R] | None = None

    def fill(self, result: outcome.Outcome[R]) -> None:
        self._outcome = result
        self.filled.set()

    async def wait(self) -> R:
        await self.filled.wait()
        return self._take_outcome().unwrap()

    def _take_outcome(self) -> outcome.Outcome[R]:
        """Once only: an error that is raised and kept would hold on to itself through its traceback."""
        result, self._outcome = self._outcome, None
        assert result is not None  # noqa: S101  # it is filled, and there is one asker
        return result


class Question(msgspec.Struct, Generic[R], dict=True, eq=False):
    """A message that is answered with an `R`. Derive from it and add the fields of the question.

    Each instance is asked once. The actor answers with `reply` or `fail`, or passes the question on to another actor;
    if whoever has it ends without an answer, the asker gets `ActorFailed`.
    """

    def reply(self, value: R) -> None:
        """Answer. Does nothing when the asker has given up; a second answer is a bug and raises `RuntimeError`."""
        self._settle(outcome.Value(value))

    def fail(self, error: Exception) -> None:
        """Answer with an error, which is raised at the asker's `ask`."""
        self._settle(outcome.Error(error))

    @property
    def asked(self) -> bool:
        """Whether somebody waits for the answer, or did. A question can also be told: then it is answered to nobody."""
        return self._slot is not None

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
        _let_go(self, slot)
        slot.fill(result)


async def wait_for_answer(question: Question[R]) -> R:
    """Make the place for the answer, and wait there. For `Ref.ask` alone."""
    slot: _Slot[R] = _Slot()
    question.__dict__["slot"] = slot
    try:
        return await slot.wait()
    finally:
        if not slot.filled.is_set():
            slot.abandoned = True
            _let_go(question, slot)


def hold(question: Question[Any], hand: set[Question[Any]]) -> None:
    """Note who has the question in hand from now on, and must answer it. For `Inbox` alone."""
    slot = question._slot  # noqa: SLF001  # the two halves of one mechanism
    if slot is not None:
        _let_go(question, slot)
        slot.hand = hand
        hand.add(question)


def _let_go(question: Question[Any], slot: _Slot[Any]) -> None:
    if slot.hand is not None:
        slot.hand.discard(question)
        slot.hand = None
