"""Bringing roll-ups up to date, by one node at a time: bounded, and harmless to do twice."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import trio

from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.failures import TransactionConflict
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.usage.rollup_store import RollupStore, open_rollup_store
from pulsekeeper.sessions.usage.rollups import QUARTER, Accounted, WorkedOut, in_portions, quarter_of, work_out

MOST_LOTS = 50
"""Of sessions, in one run."""
MOST_WINDOWS = 64
"""Of presence, in one run."""
WINDOW = 192 * QUARTER
"""Two days: what one statement works out of presence."""
MOST_EVENTS = 5_000
"""Of sessions that are written together: their rows are locked for as long, and whoever speaks for them waits."""
_ATTEMPTS = 5
EVER = datetime(1970, 1, 1, tzinfo=UTC)


async def bring_up_to_date(database: Database, settings: Settings, now: datetime) -> Accounted | None:
    """One run. `None` when another node is at it. Raises `errors.Unavailable` and `TransactionConflict`."""
    async with open_rollup_store(database, settings) as store:
        if not await store.take_turn():
            return None
        sessions, no_more_sessions = await account(store, now, MOST_LOTS)
        quarters, rest = await follow_presence(store, now, MOST_WINDOWS)
        await store.end_turn()
        return Accounted(sessions=sessions, quarters=quarters, is_done=no_more_sessions and rest is None)


async def account(store: RollupStore, until: datetime, lots: int) -> tuple[int, bool]:
    """Work out sessions that are stale since `until`. Gives how many, and whether there is nothing more to do now.

    Sessions that change faster than they can be worked out wait for the next time.
    """
    total = 0
    for _ in range(lots):
        sessions = await store.stale_sessions(until)
        worked_out = await trio.to_thread.run_sync(work_out, sessions)  # pages must not wait for figures
        accounted = 0
        for portion in in_portions(worked_out, MOST_EVENTS):
            accounted += await _write(store, portion)
        if not accounted:
            return total, True
        total += accounted
    return total, False


async def follow_presence(
    store: RollupStore, now: datetime, windows: int, since: datetime = EVER
) -> tuple[int, datetime | None]:
    """Work out presence where it is not settled. Gives for how many quarters, and where to go on; `None` at the end."""
    quarters, reached = 0, since
    for _ in range(windows):
        start = await store.next_unsettled_quarter(reached, now)
        if start is None:
            return quarters, None
        reached = min(start + WINDOW, quarter_of(now) + QUARTER)
        quarters += await store.work_out_presence(start, reached, now)
    return quarters, None if reached > now else reached


async def _write(store: RollupStore, worked_out: Sequence[WorkedOut]) -> int:
    for _ in range(_ATTEMPTS - 1):
        with suppress(TransactionConflict):  # an erasure wrote the same rows in another order
            return await store.account(worked_out)
    return await store.account(worked_out)
