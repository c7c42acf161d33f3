"""Waiting for facts instead of time."""

from collections.abc import Awaitable, Callable

import trio

from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.postgres.statements import Statements

_RUNNING = inline(
    "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    " and state = 'active' and query like :pattern"
)
_BLOCKED = inline(
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
)


async def eventually(fact: Callable[[], Awaitable[bool]]) -> None:
    """Returns when `fact` has become true; fails the test when that takes more than half a minute."""
    with trio.fail_after(30):
        while not await fact():  # noqa: ASYNC110  # the fact is in another process, which sets no event
            await trio.sleep(0.005)


async def until_running(observer: Statements, pattern: str) -> None:
    """Returns when another session of the same database is at work on a statement like `pattern`."""

    async def fact() -> bool:
        return bool(await observer.fetch_value(_RUNNING, pattern=pattern))

    await eventually(fact)


async def until_blocked(observer: Statements, sessions: int) -> None:
    """Returns when so many sessions of the same database wait for something that another one holds."""

    async def fact() -> bool:
        return bool(await observer.fetch_value(_BLOCKED) == sessions)

    await eventually(fact)


async def all_idle(database: Database) -> None:
    """Returns when every session is back in the pool, mended if it had to be."""

    async def fact() -> bool:
        return database.statistics().busy == 0

    await eventually(fact)
