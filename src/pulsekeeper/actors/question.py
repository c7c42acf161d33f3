"""Messages that want an answer."""

from enum import Enum
from typing import Any, Generic, TypeVar

import msgspec
import outcome
import trio

from pulsekeeper import errors

R = TypeVar("R")


class ActorFailed(errors.Unavailable):
    """The actor ended while it had the question in hand. `__cause__` is what it died of, if it was an error."""


class _State(Enum):
    """How far a question has come."""

    NEW = "new"
    ASKED = "asked"
    ANSWERED = "answered"
    ABANDONED = "abandoned"


class Question(msgspec.Struct, Generic[R], eq=False, kw_only=True):
    """A message that is answered with an `R`. Derive from it and add the fields of the question.

    Each instance is asked once. The actor answers with `reply` or `fail`, or passes the question on to another actor;
    if whoever has it ends without an answer, the asker gets `ActorFailed`.

    The asker's task is woken with the answer itself: a Trio event and a place to put the answer in cost three times as
    much, and this is done for every request.
    """

    _state: _State = _State.NEW
    _asker: trio.lowlevel.Task | None = None
    """The task that waits."""
    _hand: "set[Question[Any]] | None" = None
    """All that the actor which has this question has in hand; `None` while the question waits in a mailbox."""

    def reply(self, value: R) -> None:
        """Answer. Does nothing when the asker has given up; a second answer is a bug and raises `RuntimeError`."""
        self._settle(outcome.Value(value))

    def fail(self, error: Exception) -> None:
        """Answer with an error, which is raised at the asker's `ask`."""
        self._settle(outcome.Error(error))

    @property
    def asked(self) -> bool:
        """Whether somebody waits for the answer, or did. A question can also be told: then it is answered to nobody."""
        return self._state is not _State.NEW

    @property
    def abandoned(self) -> bool:
        """Whether the asker has given up: work for it is wasted."""
        return self._state is _State.ABANDONED

    @property
    def answered(self) -> bool:
        """Whether `reply` or `fail` has been called, and somebody was there to hear it."""
        return self._state is _State.ANSWERED

    @property
    def is_wanted(self) -> bool:
        """Whether it is worth being read: nobody has answered it, and nobody has given up waiting."""
        return self._state is _State.ASKED or self._state is _State.NEW

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for the answer right now, or is just about to."""
        return self._state is _State.ASKED

    def give_up(self, error: Exception) -> None:
        """Raise an error at the asker, who then has abandoned the question. For whoever keeps the time."""
        asker, self._asker = self._asker, None
        if asker is not None:
            self._end(_State.ABANDONED)
            trio.lowlevel.reschedule(asker, outcome.Error(error))

    def _settle(self, result: outcome.Outcome[R]) -> None:
        if self._state is _State.ASKED:
            asker, self._asker = self._asker, None
            assert asker is not None  # noqa: S101  # whoever has asked and not given up waits
            self._end(_State.ANSWERED)
            trio.lowlevel.reschedule(asker, result)
        elif self._state is _State.ANSWERED:
            raise RuntimeError(f"{type(self).__name__} was answered twice")

    def _end(self, state: _State) -> None:
        self._state = state
        if self._hand is not None:
            self._hand.discard(self)
            self._hand = None


async def wait_for_answer(question: Question[R]) -> R:
    """Wait for the answer in the question's place. For `Ref.ask` alone."""
    question._state = _State.ASKED  # noqa: SLF001  # the two halves of one mechanism, here and below
    question._asker = trio.lowlevel.current_task()  # noqa: SLF001

    def abandon(_: object) -> trio.lowlevel.Abort:
        question._asker = None  # noqa: SLF001
        question._end(_State.ABANDONED)  # noqa: SLF001
        return trio.lowlevel.Abort.SUCCEEDED

    answer: R = await trio.lowlevel.wait_task_rescheduled(abandon)
    return answer


def hold(question: Question[Any], hand: set[Question[Any]]) -> None:
    """Note who has the question in hand from now on, and must answer it. For `Inbox` alone."""
    if question._state is _State.ASKED:  # noqa: SLF001
        if question._hand is not None:  # noqa: SLF001
            question._hand.discard(question)  # noqa: SLF001
        question._hand = hand  # noqa: SLF001
        hand.add(question)
