"""What figures are asked for, as operators do; and what roll-ups are to be, counted from nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
import trio

from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.records import Claims
from pulsekeeper.sessions.store import SessionStore
from pulsekeeper.sessions.usage.bookkeeping import bring_up_to_date
from pulsekeeper.sessions.usage.figures_store import FiguresStore
from pulsekeeper.sessions.usage.rebuilding import rebuild
from pulsekeeper.sessions.usage.rollup_store import RollupStore
from pulsekeeper.sessions.usage.rollups import WorkedOut, work_out
from pulsekeeper.sessions.usage.usage_routes import UsageRoutes
from pulsekeeper.web.wire import Request
from tests.support.sessions import event, say, start
from tests.support.sessions_histories import SETTINGS, utc
from tests.support.waiting import until_running

NOW = utc("2026-11-22 12:00")
START = NOW - timedelta(hours=3)
MINUTE = timedelta(minutes=1)
WRITING = "with given as%story_seconds%"
"""An accountant's statement, as the server shows it."""
PEAKS = inline("select quarter, peak from presence_rollups where peak > 0 order by quarter")
ROLLUPS = inline("select quarter, name, value, events from event_rollups order by 1, 2, 3")
RAW = inline(
    """
    select date_bin('15 minutes', at, 'epoch') as quarter, name, coalesce(props ->> 'story', '') as value,
        count(*) as events
    from events group by 1, 2, 3 order by 1, 2, 3
    """
)
_SUMS = inline("select span, start, name, value, events from event_sums order by 1, 2, 3, 4")
_SUMMED = inline(
    """
    select span, start, name, sums.value, sum(events)::bigint as events
    from event_rollups
    cross join lateral (values
        ('hour', date_bin('1 hour', quarter, 'epoch'), ''), ('day', date_bin('1 day', quarter, 'epoch'), value)
    ) as sums (span, start, value)
    where span = 'hour' or sums.value <> ''
    group by 1, 2, 3, 4 order by 1, 2, 3, 4
    """
)


async def measure(database: Database, now: datetime, **query: str) -> dict[str, Any]:
    """The figures as they are told at a moment; `since` is the first day."""
    text = "&".join(f"{'from' if key == 'since' else key}={value}" for key, value in query.items())
    routes = UsageRoutes(FiguresStore(database, SETTINGS), SETTINGS, lambda: now)
    request = Request(method="GET", path="/api/sessions/metrics", query_string=text.encode())
    reply: dict[str, Any] = msgspec.json.decode((await routes.measure(request)).body)
    return reply


async def account_and_measure(database: Database, now: datetime, **query: str) -> dict[str, Any]:
    """The same, when the accountant has just been there."""
    await account_for_all(database, now)
    return await measure(database, now, **query)


async def account_for_all(database: Database, now: datetime) -> None:
    """Bring the roll-ups up to date, however many runs that takes."""
    while not (done := await bring_up_to_date(database, SETTINGS, now)) or not done.is_done:
        pass


async def counted(database: Database) -> list[tuple[Any, ...]]:
    """The roll-up of events, every row of it. Its sums must be what it adds up to."""
    assert await database.fetch(_SUMS) == await database.fetch(_SUMMED)
    return [tuple(row) for row in await database.fetch(ROLLUPS)]


async def counted_from_raw(database: Database) -> list[tuple[Any, ...]]:
    """The same, counted from events of stories and those that are about nothing."""
    return [tuple(row) for row in await database.fetch(RAW)]


async def two_lives(store: SessionStore) -> tuple[Claims, Claims]:
    """Of two installations that did the same at the same time, so that they share rows of the roll-up."""
    return await busy(store), await busy(store)


async def busy(store: SessionStore) -> Claims:
    """A session that opened a story and closed it; nothing is rolled up yet."""
    claims = await start(store, START)
    await say(store, claims, START + MINUTE, event(START, seq=1), event(START + MINUTE, "story_closed", seq=2))
    return claims


async def read(rollups: RollupStore) -> list[WorkedOut]:
    """What there is to be written of the sessions that are stale."""
    return work_out(await rollups.stale_sessions(NOW))


async def is_as_rebuilt(database: Database) -> None:
    """Roll-ups, when the accountant has been there once more, are what raw says, and what a rebuild makes."""
    await account_for_all(database, NOW)
    rows, peaks = await counted(database), await database.fetch(PEAKS)
    assert rows == await counted_from_raw(database)
    await rebuild(database, SETTINGS, NOW - timedelta(days=30), NOW, unheard)
    assert (await counted(database), await database.fetch(PEAKS)) == (rows, peaks)


async def unheard(done: int, total: int) -> None:
    """The progress of a rebuild that nobody looks at."""
    assert 0 <= done <= total


async def write_all(database: Database) -> None:
    """One run of an accountant."""
    await bring_up_to_date(database, SETTINGS, NOW)


@asynccontextmanager
async def held_up(
    database: Database, table: str, job: Callable[[], Awaitable[None]], at: str
) -> AsyncIterator[trio.Nursery]:
    """A job that stands still at a statement, with all that it holds, until the block ends: somebody keeps a table."""
    async with trio.open_nursery() as nursery, database.transaction() as keeper:
        await keeper.run_script(f"lock table {table} in share mode")
        nursery.start_soon(job)
        await until_running(database, at)
        yield nursery
