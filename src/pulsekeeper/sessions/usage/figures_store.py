"""What the figures are read from, in PostgreSQL. Nothing is changed."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Generic, TypeVar

import trio

from pulsekeeper.errors import PulsekeeperError
from pulsekeeper.postgres import queries
from pulsekeeper.postgres.database import Database
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.records import LONG
from pulsekeeper.sessions.usage.assembling import Counts, EventCount, SessionCount, ValueCount
from pulsekeeper.sessions.usage.calendar import Buckets
from pulsekeeper.sessions.usage.retention import Presence
from pulsekeeper.sessions.usage.rollups import longest_trace

_Q = queries.load("pulsekeeper.sessions.usage")
_BEHIND = 5
"""Intervals of the accountant after which it counts as behind: one is usual, and a few may fall to an outage."""

T = TypeVar("T")


class FiguresStore:
    """Counts of sessions and events. Every method raises `errors.Unavailable` when the database is away."""

    def __init__(self, database: Database, settings: Settings) -> None:
        """`database` is the pool: its statements run side by side, each on a connection of its own."""
        self._database = database
        self._settings = settings

    async def counts(self, buckets: Buckets, now: datetime) -> Counts:
        """Everything that the figures are made of."""
        async with trio.open_nursery() as nursery:
            sessions = _Reading(nursery, lambda: self._sessions(buckets))
            presences = _Reading(nursery, lambda: self._presences(buckets))
            events = _Reading(nursery, lambda: self._events(buckets))
            values = _Reading(nursery, lambda: self._values(buckets))
            peaks = _Reading(nursery, lambda: self._peaks(buckets))
            present = _Reading(nursery, lambda: self._present(now))
        concurrent, current = present.unwrap()
        return Counts(
            sessions=sessions.unwrap(),
            presences=presences.unwrap(),
            events=events.unwrap(),
            values=values.unwrap(),
            peaks=peaks.unwrap(),
            concurrent=concurrent,
            current=current,
        )

    async def _sessions(self, buckets: Buckets) -> list[SessionCount]:
        rows = await self._database.fetch(
            _Q.measure_sessions, edges=buckets.edges, longest=longest_trace(self._settings)
        )
        return [SessionCount(*row) for row in rows]

    async def _presences(self, buckets: Buckets) -> list[Presence]:
        async with self._database.transaction() as transaction:
            await transaction.fetch(_Q.plan_for_values)
            rows = await transaction.fetch(
                _Q.list_activity,
                edges=buckets.edges,
                count=buckets.count,
                start=buckets.start,
                until=buckets.end,
                long=LONG,
            )
        return [Presence(*row) for row in rows]

    async def _events(self, buckets: Buckets) -> list[EventCount]:
        rows = await self._database.fetch(_Q.count_events, starts=buckets.edges[:-1], ends=buckets.edges[1:])
        return [EventCount(*row) for row in rows]

    async def _values(self, buckets: Buckets) -> list[ValueCount]:
        rows = await self._database.fetch(_Q.count_values, start=buckets.start, until=buckets.end)
        return [ValueCount(*row) for row in rows]

    async def _peaks(self, buckets: Buckets) -> Mapping[int, int]:
        rows = await self._database.fetch(_Q.list_peaks, edges=buckets.edges, start=buckets.start, until=buckets.end)
        return {row["place"]: row["peak"] for row in rows}

    async def _present(self, now: datetime) -> tuple[int, bool]:
        [row] = await self._database.fetch(
            _Q.look_at_present,
            fresh_since=now - self._settings.fresh,
            behind_since=now - _BEHIND * self._settings.rollup_interval,
        )
        return row["present"], row["is_current"]


class _Reading(Generic[T]):
    """What a task beside finds. Its outage is kept until it is asked for: a nursery would put it into a group."""

    def __init__(self, nursery: trio.Nursery, read: Callable[[], Awaitable[T]]) -> None:
        self._found: list[T] = []
        self._error: PulsekeeperError | None = None
        nursery.start_soon(self._run, read)

    def unwrap(self) -> T:
        """What was found, or the error."""
        if self._error is not None:
            raise self._error
        return self._found[0]

    async def _run(self, read: Callable[[], Awaitable[T]]) -> None:
        try:
            self._found.append(await read())
        except PulsekeeperError as error:
            self._error = error
