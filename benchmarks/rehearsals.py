"""Decisions as the decider makes them, one at a time and without HTTP, with a look at the clock in between."""

import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from uuid import uuid4

from msgspec import Struct

from benchmarks import examples, servers
from pulsekeeper.clock import utc_now
from pulsekeeper.decisions.records import NOBODY, Stored, Write
from pulsekeeper.decisions.rulebook.rule_store import RuleBookParts, RuleStore
from pulsekeeper.decisions.rules.book import compile_book
from pulsekeeper.decisions.rules.model import Settings
from pulsekeeper.decisions.rules.people import Person, anonymous_key
from pulsekeeper.decisions.store import DecisionStore
from pulsekeeper.decisions.turns import Turn, Wish, take_turn
from pulsekeeper.postgres.database import Database

_REGULARS = 20


class Timing(Struct, frozen=True, kw_only=True):
    """Of one decision, in seconds."""

    turn: float
    """`turns.take_turn`: the rules, and all that is decoded and encoded around them."""
    database: float
    """What the decider waits for: the commit, and before it the row of somebody whom it does not remember."""


class Rehearsal:
    """A decider with an eye on the clock, for people of its own: the node never meets them."""

    def __init__(self, database: Database, parts: RuleBookParts) -> None:
        self._store = DecisionStore(database)
        self._revision = parts.revision
        self._book = compile_book(parts.campaigns, parts.releases, Settings().policy())
        self._memory: dict[str, Stored] = {}

    async def decide(self, visitor_id: str) -> Timing:
        """One decision, committed. Raises `ServerFailed` when it is overtaken, which nobody is there to do."""
        wish, now = _wish(visitor_id), utc_now()
        key, start = wish.person.key, perf_counter()
        stored = self._memory.get(key) or (await self._store.recall([key])).get(key, NOBODY)
        recalled = perf_counter()
        turn = take_turn(self._book, stored, [wish], {}, now)
        turned = perf_counter()
        write = _write(turn)
        committed = await self._store.commit([write], revision=self._revision, rule_book=self._book.hash, now=now)
        done = perf_counter()
        if key not in committed.saved:
            raise servers.ServerFailed("a decision beside the node was not written: are the rules being changed?")
        self._memory[key] = Stored(write.new_version, write.state, write.last_seen_at)
        return Timing(turn=turned - recalled, database=recalled - start + done - turned)

    async def decide_for(self, visitor_ids: Iterator[str], seconds: float) -> Sequence[Timing]:
        """One decision after the other, at least one."""
        timings: list[Timing] = []
        end = perf_counter() + seconds
        while not timings or perf_counter() < end:
            timings.append(await self.decide(next(visitor_ids)))
        return timings


@asynccontextmanager
async def open_rehearsal(url: str) -> AsyncIterator[Rehearsal]:
    """By the rules that are in force in the database, where a service has made the tables."""
    async with servers.connected(url) as database:
        yield Rehearsal(database, await RuleStore(database).rule_book_parts())


async def regulars(rehearsal: Rehearsal) -> Iterator[str]:
    """Visitors who have been there once, again and again."""
    visitor_ids = [f"regular-{uuid4().hex}" for _ in range(_REGULARS)]
    for visitor_id in visitor_ids:
        await rehearsal.decide(visitor_id)
    return itertools.cycle(visitor_ids)


def strangers() -> Iterator[str]:
    """Visitors who come once."""
    return (f"stranger-{uuid4().hex}" for _ in itertools.count())


def _wish(visitor_id: str) -> Wish:
    key = anonymous_key("visitor", visitor_id, environment="benchmark", salt=b"benchmark")
    return Wish(person=Person(key=key, kind="visitor"), what=examples.request(visitor_id))


def _write(turn: Turn) -> Write:
    if turn.write is None:
        raise servers.ServerFailed("a decision was not to be written")
    return turn.write
