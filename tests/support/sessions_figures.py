"""What figures are asked for, as operators do; and what roll-ups are to be, counted from nothing."""

from datetime import datetime
from typing import Any

import msgspec

from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.usage.bookkeeping import bring_up_to_date
from pulsekeeper.sessions.usage.figures_store import FiguresStore
from pulsekeeper.sessions.usage.usage_routes import UsageRoutes
from pulsekeeper.web.wire import Request
from tests.support.sessions_histories import SETTINGS

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
