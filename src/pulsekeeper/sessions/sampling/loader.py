"""Brings a made-up history into the database: by COPY, a lot at a time, all of it or nothing."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import trio
from msgspec import Struct
from msgspec.structs import astuple

from pulsekeeper.errors import Conflict
from pulsekeeper.postgres import queries
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.failures import UniqueViolation
from pulsekeeper.postgres.partition_store import PartitionStore
from pulsekeeper.postgres.partitions import AHEAD, midnight
from pulsekeeper.postgres.transactions import Connection, Transaction
from pulsekeeper.postgres.upkeep import take_turn
from pulsekeeper.sessions.model import EndReason, Settings
from pulsekeeper.sessions.sampling.history import EventRow, SessionRow, Visit, visits
from pulsekeeper.sessions.sampling.population import Sample, populate
from pulsekeeper.sessions.upkeep.maintenance import EVENTS, Maintained

_Q = queries.load("pulsekeeper.sessions.sampling")

_LOT = 500
"""Sessions that are in memory at once. Making so many takes a tenth of a second, in which nothing else is done."""
_ATTEMPTS = 40
_PAUSE = 0.25
"""Seconds between attempts to have a turn at the tables."""
_CONSENT = "2026-01"
_ALREADY = "this very history is there already; another seed makes another one"


class Loaded(Struct, frozen=True):
    """What has been written."""

    installations: int
    sessions: int
    events: int


class _InstallationRow(Struct, kw_only=True):
    """A row of `installations`."""

    id: UUID
    first_at: datetime
    consented_at: datetime
    consent_version: str = _CONSENT
    withdrawn_at: datetime | None = None


async def has_history(database: Database) -> bool:
    """Whether there is any session, or anything that a session has left. Raises `errors.Unavailable`."""
    return bool(await database.fetch_value(_Q.has_history))


async def load(
    database: Database, sample: Sample, settings: Settings, now: datetime, day_done: Callable[[int], None]
) -> Loaded:
    """Write a history as far as it has happened by `now`; `day_done` is told of each day, by how many it was.

    The sessions are marked as changed at `now`: there are no roll-ups of them yet. Raises `errors.Conflict` where
    the history is there already or somebody else is at the tables for too long, and `errors.Unavailable`; no row is
    written then.
    """
    await _make_partitions(database, sample, now)
    async with database.connection(patient=True) as connection:
        try:
            async with connection.transaction() as transaction:
                return await _load(transaction, sample, settings, now, day_done)
        except UniqueViolation as error:
            raise Conflict(_ALREADY) from error


async def _make_partitions(database: Database, sample: Sample, now: datetime) -> None:
    """Every day gets its own, as if the upkeep had been there; while it is, it is waited for."""
    for _ in range(_ATTEMPTS):
        if await take_turn(database, "sessions", partial(_make_days, sample), now):
            return
        await trio.sleep(_PAUSE)
    raise Conflict("another node is at the upkeep of the tables")


async def _make_days(sample: Sample, connection: Connection, now: datetime) -> Maintained:
    """The first local day may begin a day earlier in UTC. The next days too: the upkeep would wait for the load."""
    tables, first = PartitionStore(connection), midnight(sample.day(0)) - timedelta(days=1)
    moments = [first + timedelta(days=number) for number in range(0, sample.days + 1, AHEAD + 1)]
    made = [name for moment in [*moments, now] for name in await tables.make_ahead(EVENTS, moment)]
    return Maintained(made=tuple(made))


async def _load(
    transaction: Transaction, sample: Sample, settings: Settings, now: datetime, day_done: Callable[[int], None]
) -> Loaded:
    installations = populate(sample)
    if await transaction.fetch_value(_Q.is_loaded, ids=[each.id for each in installations]):
        raise Conflict(_ALREADY)
    writer = _Writer(transaction)
    for number in range(sample.days):
        day = visits(sample, installations, number, settings, now)
        while lot := [*itertools.islice(day, _LOT)]:
            await writer.write(lot)
        day_done(1)
    return await writer.conclude()


class _Writer:
    """Writes sessions with their events as they come, and in the end the installations that they were of."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._installations: dict[UUID, _InstallationRow] = {}
        self._sessions = 0
        self._events = 0

    async def write(self, lot: Sequence[Visit]) -> None:
        """Some sessions. Those of one installation come in the order of their days."""
        for visit in lot:
            self._meet(visit.session)
        events = [event for visit in lot for event in visit.events]
        self._sessions += await self._copy("sessions", SessionRow, [visit.session for visit in lot])
        self._events += await self._copy("events", EventRow, events)
        ids = sorted((event.installation_id, event.id) for event in events)
        await self._transaction.copy_in("event_ids", ("installation_id", "event_id"), ids)

    async def conclude(self) -> Loaded:
        """All that is left to write. Gives what has been written in all."""
        rows = self._installations.values()
        met = await self._copy("installations", _InstallationRow, rows)
        await self._transaction.execute(_Q.mark_withdrawn, ids=[each.id for each in rows if each.withdrawn_at])
        return Loaded(met, self._sessions, self._events)

    def _meet(self, session: SessionRow) -> None:
        started, fresh = session.started_at, _InstallationRow
        row = self._installations.setdefault(
            session.installation_id, fresh(id=session.installation_id, first_at=started, consented_at=started)
        )
        row.first_at, row.consented_at = min(row.first_at, started), max(row.consented_at, started)
        if session.end_reason == EndReason.CONSENT:
            row.withdrawn_at = session.ended_at

    async def _copy(self, table: str, kind: type[Struct], rows: Iterable[Struct]) -> int:
        return await self._transaction.copy_in(table, kind.__struct_fields__, map(astuple, rows))
