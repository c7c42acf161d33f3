"""The decision actor: takes every question that waits, decides them all, commits them in one statement, answers.

While one batch commits the next one gathers, so load makes batches larger, not waits longer. What it holds in memory,
the rules and the states of recent visitors, is a cache: every write names the revision and the version that it was
decided from, and the database refuses what has been overtaken. Such questions are read and decided again.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import inf
from typing import Literal

import trio

from pulsekeeper import errors
from pulsekeeper.actors.inbox import Inbox
from pulsekeeper.actors.question import Question
from pulsekeeper.clock import Clock
from pulsekeeper.decisions.memory import Memory
from pulsekeeper.decisions.model import DecideRequest, Settings
from pulsekeeper.decisions.numbers import Numbers
from pulsekeeper.decisions.people import Person
from pulsekeeper.decisions.records import NOBODY, Committed, Stored, Write
from pulsekeeper.decisions.shelf import Rules, Shelf
from pulsekeeper.decisions.store import DecisionStore
from pulsekeeper.decisions.turns import decide_in_turn
from pulsekeeper.postgres.failures import TransactionConflict

_ATTEMPTS = 5
"""How often a question is decided at most, because another node or a change of the rules was faster."""
_REST = 0.1
"""Seconds after an outage in which questions are refused without asking the database again."""


class Decide(Question[bytes]):
    """What should this visitor see? Answered with the reply as JSON, once the decision is committed.

    Fails with `errors.Unavailable` while that cannot be done: the caller then shows nothing.
    """

    kind: Literal["visitor", "ip"]
    value: str
    """The browser's own id, or the address. It goes no further than this actor, which hashes it."""
    request: DecideRequest


class _Turn:
    """One person, and those of the questions in hand that are theirs."""

    __slots__ = ("person", "questions")

    def __init__(self, person: Person) -> None:
        self.person = person
        self.questions: list[Decide] = []


Turns = Mapping[str, _Turn]
"""By the person's key, in the order in which they asked."""
Attempt = tuple[Sequence[Write], Committed]
_NOTHING_WRITTEN = Committed(is_current=True, saved=frozenset())


class Decider:
    """Owns the memory of recent visitors; the rules in force stand on a shelf that it keeps current."""

    def __init__(self, store: DecisionStore, shelf: Shelf, settings: Settings, clock: Clock, numbers: Numbers) -> None:
        self._store = store
        self._shelf = shelf
        self._settings = settings
        self._clock = clock
        self._numbers = numbers
        self._memory = Memory(settings.remembered)
        self._resting_until = -inf

    async def run(self, inbox: Inbox[Decide]) -> None:
        """Answer until the inbox ends, while the rules are kept current beside."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._shelf.keep_current)
            async for questions in inbox.batches(self._settings.batch):
                await self._answer(questions)
            nursery.cancel_scope.cancel()

    async def _answer(self, questions: Sequence[Decide]) -> None:
        detail = "the database was away a moment ago"
        if trio.current_time() >= self._resting_until:
            detail = await self._decide_until_answered(questions)
        for question in questions:
            if not question.answered:
                question.fail(errors.Unavailable(detail))

    async def _decide_until_answered(self, questions: Sequence[Decide]) -> str:
        """Answers what can be answered; gives the reason why the rest cannot."""
        try:
            with trio.fail_after(self._settings.patience.total_seconds()):
                await self._decide(questions)
        except (errors.Unavailable, trio.TooSlowError) as outage:
            self._resting_until = trio.current_time() + _REST
            return str(outage) or "the database was too slow"
        return "the rules are not read yet, or too many nodes decide about the same person"

    async def _decide(self, questions: Sequence[Decide]) -> None:
        """Decide until all are answered, or cannot be.

        The first attempt trusts the memory and keeps nobody waiting. For those for whom that was wrong, the next ones
        hold the rows from reading to writing: another node that is always faster would otherwise win for ever.
        """
        attempt = self._trusting
        for _ in range(_ATTEMPTS):
            left, rules = [one for one in questions if not one.answered and not one.abandoned], self._shelf.rules
            if not left or rules is None:
                return
            turns = _take_turns(left, rules)
            try:
                writes, committed = await attempt(turns, rules)
            except TransactionConflict:
                writes, committed = [], _NOTHING_WRITTEN
            except BaseException:
                self._memory.forget(turns)  # nobody knows what was written
                raise
            self._settle(turns, writes, committed)
            self._numbers.committed(len(left), sum(one.answered for one in left))
            attempt = self._holding
            if not committed.is_current:
                await self._shelf.refresh()

    async def _trusting(self, turns: Turns, rules: Rules) -> Attempt:
        known, now = await self._recall(turns), self._clock()
        writes = _draft(turns, known, rules, now)
        return writes, await self._store.commit(writes, revision=rules.revision, rule_book=rules.book.hash, now=now)

    async def _holding(self, turns: Turns, rules: Rules) -> Attempt:
        async with self._store.holding(list(turns)) as (store, known):
            now = self._clock()
            writes = _draft(turns, known, rules, now)
            committed = await store.commit(writes, revision=rules.revision, rule_book=rules.book.hash, now=now)
        return writes, committed

    async def _recall(self, person_keys: Iterable[str]) -> dict[str, Stored]:
        known = self._memory.known(person_keys)
        strangers = [key for key in person_keys if key not in known]
        if strangers:
            recalled = await self._store.recall(strangers)
            known |= recalled
        return known

    def _settle(self, turns: Turns, writes: Sequence[Write], committed: Committed) -> None:
        if committed.is_current:
            self._memory.forget(turns.keys() - committed.saved)
        for write in writes:
            if write.person_key in committed.saved:
                self._memory.remember(write.person_key, Stored(write.new_version, write.state))
                for question, row in zip(turns[write.person_key].questions, write.log, strict=True):
                    question.reply(row.reply)


def _take_turns(questions: Iterable[Decide], rules: Rules) -> dict[str, _Turn]:
    """The questions by the person who asks, in the order in which they came."""
    turns: dict[str, _Turn] = {}
    for question in questions:
        person = rules.person(question.kind, question.value)
        turns.setdefault(person.key, _Turn(person)).questions.append(question)
    return turns


def _draft(turns: Turns, known: Mapping[str, Stored], rules: Rules, now: datetime) -> list[Write]:
    return [
        decide_in_turn(rules.book, turn.person, known.get(key, NOBODY), [one.request for one in turn.questions], now)
        for key, turn in turns.items()
    ]
