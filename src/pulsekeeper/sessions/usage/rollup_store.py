"""The roll-ups in PostgreSQL, on the one connection that holds the right to write them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from pulsekeeper.postgres import queries
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.transactions import Connection
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.records import LONG
from pulsekeeper.sessions.usage.rollups import (
    StaleSession,
    WorkedOut,
    longest_trace,
    settled_before,
)

_Q = queries.load("pulsekeeper.sessions.usage")

LOT = 200
"""Sessions that are read at once."""
MOST_STORY_EVENTS = 5_000
"""How many events of a session are looked at for its story times: the first ones. People do not come near it."""
MOST_COUNTS = 10_000
"""How many different counts of a session are kept: the largest ones. The same."""
_MARKED_AT_ONCE = 1_000


class Place(NamedTuple):
    """A session's place in the order of starts."""

    started_at: datetime
    id: UUID


BEGINNING = Place(datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))


class RollupStore:
    """Every method raises `errors.Unavailable` for an outage, and `TransactionConflict` when another was faster."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings

    async def take_turn(self) -> bool:
        """Whether it is this node's turn. It stays so until the connection is given back or lost."""
        return bool(await self._connection.fetch_value(_Q.take_turn_at_accounting))

    async def wait_for_turn(self) -> None:
        """Take the turn as soon as whoever has it is done, which is a matter of seconds."""
        await self._connection.fetch(_Q.wait_for_turn_at_accounting)

    async def end_turn(self) -> None:
        """Let the next node have its turn at once. After an error the connection lets go of it, a moment later."""
        await self._connection.fetch(_Q.end_turn_at_accounting)

    async def stale_sessions(self, until: datetime) -> list[StaleSession]:
        """A lot of the sessions that are stale since `until` or for longer; empty when there are none."""
        rows = await self._connection.fetch(
            _Q.stale_sessions,
            until=until,
            limit=LOT,
            most=MOST_STORY_EVENTS,
            late=self._settings.late,
            opened_event=self._settings.opened_event,
            closed_event=self._settings.closed_event,
            story_property=self._settings.story_property,
        )
        return [StaleSession(*row) for row in rows]

    async def account(self, worked_out: Sequence[WorkedOut]) -> int:
        """Write what was worked out of those that have not changed meanwhile. Gives their number.

        Their rows are locked until their events are counted: not many events should be given at once.
        """
        settings, ids = self._settings, [each.session.id for each in worked_out]
        async with self._connection.transaction() as transaction:
            await transaction.fetch(_Q.hold_installations_of, ids=ids)
            [row] = await transaction.fetch(
                _Q.account,
                ids=ids,
                changes=[each.session.changes for each in worked_out],
                untils=[each.session.until for each in worked_out],
                story_seconds=[each.time.seconds for each in worked_out],
                stories_unclosed=[each.time.unclosed for each in worked_out],
                most=MOST_COUNTS,
                late=settings.late,
                long=LONG,
                own_events=settings.own_events,
                opened_event=settings.opened_event,
                closed_event=settings.closed_event,
                page_event=settings.page_event,
                story_property=settings.story_property,
                page_property=settings.page_property,
            )
            if row["lessened"]:
                await transaction.execute(_Q.forget_empty_counts, quarters=row["lessened"])
        accounted: int = row["accounted"]
        return accounted

    async def next_unsettled_quarter(self, since: datetime, now: datetime) -> datetime | None:
        """The first quarter from `since` on whose presence is not known for good; `None` when there is none."""
        start: datetime | None = await self._connection.fetch_value(_Q.next_unsettled_quarter, since=since, now=now)
        return start

    async def work_out_presence(self, start: datetime, until: datetime, now: datetime) -> int:
        """Write how many sessions were present in the quarters between two. Gives how many could still change."""
        return await self._connection.execute(
            _Q.work_out_presence,
            start=start,
            until=until,
            now=now,
            fresh=self._settings.fresh,
            longest=longest_trace(self._settings),
            settled_before=settled_before(self._settings, now),
        )

    async def mark_stale(self, since: datetime, after: Place, now: datetime) -> Place | None:
        """Have a lot of the sessions that were started `since` worked out again. Gives the last; `None` without any."""
        rows = await self._connection.fetch(
            _Q.mark_stale,
            since=since,
            after_start=after.started_at,
            after_id=after.id,
            limit=_MARKED_AT_ONCE,
            now=now,
        )
        return Place(*rows[0]) if rows else None

    async def take_out(self, since: datetime, marked_since: datetime) -> None:
        """Take everything since a quarter out, at once. The sessions it is of, started `marked_since`, are stale."""
        async with self._connection.transaction() as transaction:
            await transaction.execute(_Q.take_out_counts, since=since, marked_since=marked_since)
            await transaction.execute(_Q.take_out_events, since=since)
            await transaction.execute(_Q.take_out_presence, since=since)

    async def count_stale(self, until: datetime) -> int:
        """How many sessions are stale since `until` or for longer."""
        count: int = await self._connection.fetch_value(_Q.count_stale, until=until)
        return count


@asynccontextmanager
async def open_rollup_store(database: Database, settings: Settings) -> AsyncIterator[RollupStore]:
    """A store on a connection of its own, whose statements may take their time."""
    async with database.connection(patient=True) as connection:
        yield RollupStore(connection, settings)
