"""Working roll-ups out again from raw events, while the service runs: after a restored backup, or a change of the names
of events in the settings.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime

from msgspec import Struct

from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.failures import TransactionConflict
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.usage.bookkeeping import EVER, MOST_WINDOWS, account, follow_presence
from pulsekeeper.sessions.usage.rollup_store import BEGINNING, RollupStore, open_rollup_store
from pulsekeeper.sessions.usage.rollups import longest_trace, quarter_of, rebuildable_since

Progress = Callable[[int, int], Awaitable[None]]
"""Told again and again how many sessions are done, and how many are to be done altogether."""
_ATTEMPTS = 5


class Rebuilt(Struct, frozen=True, kw_only=True):
    """What a rebuild has done."""

    since: datetime
    """From when on roll-ups are new. It is later than was asked for where raw events were dropped meanwhile."""
    sessions: int
    """How many sessions were worked out again, and those that had to be anyway."""
    quarters: int
    """Quarters of an hour for which presence was worked out again."""


async def rebuild(
    database: Database, settings: Settings, since: datetime, now: datetime, progress: Progress
) -> Rebuilt:
    """Take out what is rolled up since the quarter of an hour of `since`, and work it out again.

    Accountants stand aside meanwhile. What is taken out is marked as stale before, so that they finish what a rebuild
    that was interrupted has begun. Raises `errors.Unavailable`, and `TransactionConflict` when it could not begin.
    """
    start = max(quarter_of(since), rebuildable_since(settings, now))
    marked_since = start - longest_trace(settings)
    async with open_rollup_store(database, settings) as store:
        await store.wait_for_turn()
        await _mark(store, marked_since, now)
        await _take_out(store, start, marked_since)
        sessions = await _account(store, now, progress)
        quarters = await _follow_presence(store, now)
        await store.end_turn()
    return Rebuilt(since=start, sessions=sessions, quarters=quarters)


async def _mark(store: RollupStore, since: datetime, now: datetime) -> None:
    place = BEGINNING
    while (last := await store.mark_stale(since, place, now)) is not None:
        place = last


async def _take_out(store: RollupStore, since: datetime, marked_since: datetime) -> None:
    for _ in range(_ATTEMPTS - 1):
        try:
            return await store.take_out(since, marked_since)
        except TransactionConflict:  # an erasure wrote the same rows in another order
            continue
    return await store.take_out(since, marked_since)


async def _account(store: RollupStore, now: datetime, progress: Progress) -> int:
    done, total, is_done = 0, await store.count_stale(now), False
    while not is_done:
        await progress(done, max(done, total))
        accounted, is_done = await account(store, now, lots=1)
        done += accounted
    await progress(done, done)
    return done


async def _follow_presence(store: RollupStore, now: datetime) -> int:
    quarters = 0
    rest: datetime | None = EVER
    while rest is not None:
        written, rest = await follow_presence(store, now, MOST_WINDOWS, rest)
        quarters += written
    return quarters
