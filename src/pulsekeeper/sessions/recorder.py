"""The actor of the handshake: takes every call that waits, commits them together, then answers.

All starts of a batch share one statement; all signs of life, events and ends share another, beside it. Each withdrawal
is a transaction of its own, for which nobody else waits. Nothing is remembered between two batches: how a session
stands is only known to its row.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from math import inf
from typing import Any, TypeVar
from uuid import UUID

import structlog
import trio

from pulsekeeper import errors
from pulsekeeper.actors.inbox import Inbox
from pulsekeeper.actors.question import Question
from pulsekeeper.postgres.failures import TransactionConflict
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.numbers import Numbers
from pulsekeeper.sessions.records import Claims, Heard, Opening, Speech, Standing
from pulsekeeper.sessions.store import SessionStore

_log = structlog.get_logger(__name__)

_ATTEMPTS = 5
"""How often a batch is written at most, because another transaction was given precedence."""
_REST = 0.1
"""Seconds after an outage in which calls are refused without asking the database again."""

Q = TypeVar("Q", bound=Question[Any])


class Start(Question[UUID]):
    """A session begins. Answered with the id of its installation, once it is committed.

    This question and the others fail with `errors.Unavailable` while they cannot be committed. They may have been,
    nevertheless: the connection can be lost between the commit and its answer.
    """

    opening: Opening


class Speak(Question[Heard]):
    """A session was heard of. Answered with how it stood, once that is committed."""

    speech: Speech


class Withdraw(Question[Standing]):
    """A consent is taken back. `ENDED` when that is committed, `UNKNOWN` when there is no such installation."""

    claims: Claims
    erase: bool
    at: datetime


Message = Start | Speak | Withdraw
Commit = Callable[[Sequence[Q]], Awaitable[None]]
"""Writes what the questions say, all or none, and answers them."""


class Recorder:
    """Remembers no session: a hundred thousand open ones cost this process nothing."""

    def __init__(
        self,
        store: SessionStore,
        settings: Settings,
        numbers: Numbers,
        schema_ready: trio.Event,
    ) -> None:
        """Until `schema_ready` everything is `Unavailable`."""
        self._store = store
        self._batch = settings.batch
        self._patience = settings.patience.total_seconds()
        self._numbers = numbers
        self._schema_ready = schema_ready
        self._withdrawing = trio.Lock()
        self._is_resting = False
        self._resting_until = -inf

    async def run(self, inbox: Inbox[Message]) -> None:
        """Answer until the inbox ends."""
        async with trio.open_nursery() as beside:
            async for messages in inbox.batches(self._batch):
                await self._record(messages, beside)

    async def _record(self, messages: Sequence[Message], beside: trio.Nursery) -> None:
        """Answer a batch. What one kind of message runs into is no concern of the others.

        Nor do they wait for withdrawals: to erase what there is of an installation takes longer than all the rest.
        """
        if not self._schema_ready.is_set() or trio.current_time() < self._resting_until:
            _refuse(messages, "the database was away a moment ago, or is not ready yet")
            return
        starts = [each for each in messages if isinstance(each, Start)]
        speeches = [each for each in messages if isinstance(each, Speak)]
        withdrawals = [each for each in messages if isinstance(each, Withdraw)]
        if withdrawals:
            beside.start_soon(self._answer_withdrawals, withdrawals)
        if starts and speeches:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._answer, "start", starts, self._start)
                nursery.start_soon(self._answer, "speak", speeches, self._speak)
        elif starts:  # most batches are of one kind, and two tasks cost as much as a few calls
            await self._answer("start", starts, self._start)
        elif speeches:
            await self._answer("speak", speeches, self._speak)

    async def _answer_withdrawals(self, withdrawals: Sequence[Withdraw]) -> None:
        """One after the other, so that they never take more than one of the connections."""
        for each in withdrawals:
            async with self._withdrawing:
                await self._answer("withdraw", [each], self._withdraw)

    async def _answer(self, kind: str, questions: Sequence[Q], commit: Commit[Q]) -> None:
        """Have the questions committed and answered, within the patience; those that are not are told why."""
        reason = "too many others write the same rows"
        try:
            with trio.fail_after(self._patience):
                await self._commit(kind, questions, commit)
        except (errors.Unavailable, trio.TooSlowError) as outage:
            reason = self._rest(str(outage) or "the database was too slow")
        _refuse([each for each in questions if not each.answered], reason)

    async def _commit(self, kind: str, questions: Sequence[Q], commit: Commit[Q]) -> None:
        """Commit what is still wanted, again where another transaction was given precedence.

        What the database cannot store must not fail what happens to share its batch, however often it comes: then each
        is committed by itself.
        """
        for _ in range(_ATTEMPTS):
            left = [each for each in questions if each.is_wanted]
            if not left:
                return
            began = trio.current_time()
            try:
                await commit(left)
            except TransactionConflict:
                continue
            except errors.Unavailable:
                raise
            except Exception as error:
                await self._isolate(kind, left, commit, error)
                return
            self._numbers.committed(kind, len(left), trio.current_time() - began)
            self._wake()

    async def _isolate(self, kind: str, questions: Sequence[Q], commit: Commit[Q], error: Exception) -> None:
        if len(questions) > 1:
            for each in questions:
                await self._commit(kind, [each], commit)
            return
        # Its message may repeat the values, and those are nobody's business.
        _log.error("not_storable", kind=kind, error=type(error).__name__, sqlstate=getattr(error, "sqlstate", None))
        failure = errors.PulsekeeperError("this cannot be stored")
        failure.__cause__ = error
        questions[0].fail(failure)

    async def _start(self, questions: Sequence[Start]) -> None:
        installations = await self._store.start([each.opening for each in questions])
        self._numbers.started(len(questions))
        for question, installation in zip(questions, installations, strict=True):
            question.reply(installation)

    async def _speak(self, questions: Sequence[Speak]) -> None:
        speeches = [each.speech for each in questions]
        all_heard = await self._store.speak(speeches)
        self._numbers.heard(speeches, all_heard)
        for question, heard in zip(questions, all_heard, strict=True):
            question.reply(heard)

    async def _withdraw(self, questions: Sequence[Withdraw]) -> None:
        for each in questions:
            each.reply(await self._store.withdraw(each.claims, erase=each.erase, at=each.at))

    def _rest(self, reason: str) -> str:
        """Leave the database alone for a moment. An outage is said once, when it begins, and once when it is over."""
        if not self._is_resting:
            _log.warning("database_unavailable", reason=reason)
        self._is_resting, self._resting_until = True, trio.current_time() + _REST
        return reason

    def _wake(self) -> None:
        if self._is_resting:
            _log.info("database_available")
        self._is_resting = False


def _refuse(questions: Sequence[Question[Any]], reason: str) -> None:
    for each in questions:
        each.fail(errors.Unavailable(reason, retry_after=1.0))
