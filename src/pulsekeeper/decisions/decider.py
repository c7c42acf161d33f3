"""The decision actor: takes every question that waits, decides them all, commits them in one statement, answers.

While one batch commits the next one gathers, so load makes batches larger, not waits longer. What it holds in memory,
the rules and the states of recent visitors, is a cache: every write names the revision and the version that it was
decided from, and the database refuses what has been overtaken. Such questions are read and decided again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import inf
from typing import ClassVar

import structlog
import trio

from pulsekeeper import errors
from pulsekeeper.actors.inbox import Inbox
from pulsekeeper.actors.question import Question
from pulsekeeper.clock import Clock
from pulsekeeper.decisions.gathering import Gathered, gather
from pulsekeeper.decisions.memory import Memory
from pulsekeeper.decisions.numbers import Numbers
from pulsekeeper.decisions.records import NOBODY, Committed, Stored
from pulsekeeper.decisions.rulebook.shelf import Rules, Shelf
from pulsekeeper.decisions.rules.acks import AckRequest
from pulsekeeper.decisions.rules.model import DecideRequest, Settings
from pulsekeeper.decisions.rules.people import Asker
from pulsekeeper.decisions.store import DecisionStore
from pulsekeeper.decisions.trust import Trust
from pulsekeeper.decisions.turns import Turn, Wish, take_turn
from pulsekeeper.postgres.failures import TransactionConflict

_log = structlog.get_logger(__name__)

_REST = 0.1
"""Seconds after an outage in which questions are refused without asking the database again."""


class Decide(Question[bytes]):
    """What should this visitor see? Answered with the reply as JSON, once the decision is committed.

    Fails with `errors.Unavailable` while that cannot be done: the caller then shows nothing.
    """

    asker: Asker
    what: DecideRequest
    explain: bool = False


class Acknowledge(Question[bool]):
    """This is what became of an offer. Answered once it is committed; false when there was no such offer.

    Fails with `errors.Unavailable` while that cannot be done: the caller then says so.
    """

    asker: Asker
    what: AckRequest
    explain: ClassVar[bool] = False


Message = Decide | Acknowledge
Turns = Mapping[str, Turn | None]
"""By the person's key; `None` for somebody for whom nothing can be decided."""
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
        self._trust = Trust()
        self._is_resting = False
        self._resting_until = -inf

    async def run(self, inbox: Inbox[Message]) -> None:
        """Answer until the inbox ends, while the rules are kept current beside."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._shelf.keep_current)
            async for questions in inbox.batches(self._settings.batch):
                await self._answer(questions)
            nursery.cancel_scope.cancel()

    async def _answer(self, questions: Sequence[Message]) -> None:
        detail = "the database was away a moment ago"
        if trio.current_time() >= self._resting_until:
            detail = await self._decide_until_answered(questions)
        for question in questions:
            if not question.answered:
                question.fail(errors.Unavailable(detail))

    async def _decide_until_answered(self, questions: Sequence[Message]) -> str:
        """Answers what can be answered; gives the reason why the rest cannot."""
        try:
            with trio.fail_after(self._settings.patience.total_seconds()):
                await self._decide(questions)
        except (errors.Unavailable, trio.TooSlowError) as outage:
            return self._rest(str(outage) or "the database was too slow")
        return "the rules are not read yet, or too many nodes decide about the same person"

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

    async def _decide(self, questions: Sequence[Message]) -> None:
        """Decide until all are answered, or cannot be.

        The first attempt may trust the memory. The second one goes by what the commit found in the rows of those for
        whom that was wrong. The next ones hold the rows from reading to writing: another node that is always faster
        would otherwise win for ever.
        """
        overtaken: Mapping[str, Stored] = {}
        for attempt in (self._trusting, self._informed, self._holding, self._holding, self._holding):
            left, rules = [one for one in questions if one.is_wanted], self._shelf.rules
            if not left or rules is None:
                return
            gathered = gather(left, rules)
            try:
                turns, committed = await attempt(gathered, rules, overtaken)
            except TransactionConflict:
                self._memory.forget(gathered.turns)
                turns, committed = {}, _NOTHING_WRITTEN
            except BaseException:
                self._memory.forget(gathered.turns)  # nobody knows what was written
                raise
            self._wake()
            self._settle(left, gathered, turns, committed)
            overtaken = committed.overtaken
            if not committed.is_current:
                await self._shelf.refresh()

    async def _trusting(self, gathered: Gathered, rules: Rules, _: Mapping[str, Stored]) -> tuple[Turns, Committed]:
        known = self._from_memory(gathered)
        turns, committed = await self._informed(gathered, rules, known)
        if committed.is_current:
            self._trust.note(len(known), len(known.keys() - committed.saved))
        return turns, committed

    async def _informed(self, gathered: Gathered, rules: Rules, known: Mapping[str, Stored]) -> tuple[Turns, Committed]:
        return await self._commit(gathered, await _completed(known, gathered, self._store), rules, self._store)

    async def _holding(self, gathered: Gathered, rules: Rules, _: Mapping[str, Stored]) -> tuple[Turns, Committed]:
        async with self._store.holding(list(gathered.turns)) as (store, known):
            return await self._commit(gathered, await _completed(known, gathered, store), rules, store)

    def _from_memory(self, gathered: Gathered) -> Mapping[str, Stored]:
        """What memory says, where it is worth being asked; where it is not, it is a little more so the next time."""
        keys, known = gathered.keys, dict[str, Stored]()
        if self._trust.is_justified:
            known = self._memory.known(keys - gathered.fresh)
        else:
            self._trust.wane()
        self._numbers.recalled(len(known), len(keys) - len(known))
        return known

    async def _commit(
        self, gathered: Gathered, known: Mapping[str, Stored], rules: Rules, store: DecisionStore
    ) -> tuple[Turns, Committed]:
        now = self._clock()
        turns = {
            key: _taken(rules, known.get(key, NOBODY), [gathered.wishes[each] for each in places], known, now)
            for key, places in gathered.turns.items()
        }
        writes = [turn.write for turn in turns.values() if turn is not None and turn.write is not None]
        if not writes:
            return turns, _NOTHING_WRITTEN
        began = trio.current_time()
        committed = await store.commit(writes, revision=rules.revision, rule_book=rules.book.hash, now=now)
        self._numbers.commit_took(trio.current_time() - began)
        return turns, committed

    def _settle(self, asked: Sequence[Message], gathered: Gathered, turns: Turns, committed: Committed) -> None:
        """Answer whom the commit has given the right to an answer. Some of them may have given up meanwhile."""
        settled = 0
        for key, turn in turns.items():
            if turn is None:
                settled += len(gathered.turns[key])
                for place in gathered.turns[key]:
                    asked[place].fail(errors.Unavailable("nothing can be decided for this person"))
            elif turn.write is None or key in committed.saved:
                self._remember(key, turn)
                settled += len(turn.answers)
                for place, answer in zip(gathered.turns[key], turn.answers, strict=True):
                    asked[place].reply(answer)  # type: ignore[arg-type]  # a turn gives each question its kind of answer
            elif committed.is_current:
                self._memory.forget([key])
        self._numbers.committed(len(asked), settled)

    def _remember(self, key: str, turn: Turn) -> None:
        for outcome in turn.outcomes:
            self._numbers.decided(outcome)
        write = turn.write
        if write is not None:
            self._numbers.impressed(write.impressions)
            self._memory.remember(key, Stored(write.new_version, write.state, write.last_seen_at))


def _taken(
    rules: Rules, stored: Stored, wishes: Sequence[Wish], known: Mapping[str, Stored], now: datetime
) -> Turn | None:
    """A turn, or `None` when it fails: a row that nobody can read is a misfortune of one person.

    Nothing else is at risk, because a turn is a function of its arguments. If it crashed the actor, whoever comes back
    with such a row would take the service from everybody.
    """
    try:
        return take_turn(rules.book, stored, wishes, known, now)
    except Exception:  # see above; the traceback says what to mend
        _log.exception("turn_failed", person_key=wishes[0].person.key)
        return None


async def _completed(known: Mapping[str, Stored], gathered: Gathered, store: DecisionStore) -> Mapping[str, Stored]:
    """What is known, with what is not yet read from the database; rows under former keys are moved first."""
    missing = gathered.keys - known.keys()
    if not missing:
        return known
    former = {old: new for new, old in gathered.former_keys.items() if new in missing}
    recalled = await store.recall(sorted(missing | former.keys()))
    moves = {old: new for old, new in former.items() if old in recalled and new not in recalled}
    if moves:
        await store.move(moves)
    return {**known, **{moves.get(key, key): row for key, row in recalled.items()}}
