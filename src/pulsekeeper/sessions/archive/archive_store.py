"""Sessions and events, to be read: one session after the other, or everything of a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from msgspec import Raw

from pulsekeeper import errors
from pulsekeeper.postgres import queries
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.rows import Row
from pulsekeeper.postgres.transactions import Cursor
from pulsekeeper.sessions.archive.periods import Period
from pulsekeeper.sessions.archive.timeline import CLOCK_DIFFERENCE, Session, TimelineEvent

_Q = queries.load("pulsekeeper.sessions.archive")
LOT = 500
"""Events that are held at once: they are written in a few milliseconds, for which everything else of a node waits."""
_SLOWEST_READER = "60s"
"""How long a lot may take to be taken away before the export is given up."""


class ArchiveStore:
    """What is stored. Every method raises `errors.Unavailable` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def session(self, session_id: UUID) -> Session:
        """One session. Raises `errors.NotFound`."""
        for session in await self._database.fetch_as(Session, _Q.archived_session, session_id=session_id):
            return session
        raise errors.NotFound(f"There is no session {session_id}.")

    async def events(self, session: Session, after: UUID | None, limit: int) -> tuple[TimelineEvent, ...]:
        """The first events after another one, or of all, in order. Raises `errors.Invalid` if there is no other."""
        where = {"session_id": session.session_id, "since": session.started_at - CLOCK_DIFFERENCE}
        rows = await self._database.fetch(_Q.timeline_page, **where, after=after, limit=limit)
        if not rows and after and not await self._database.fetch_value(_Q.event_of_session, **where, event_id=after):
            detail = "is no event of this session"
            raise errors.Invalid(f"after: {detail}", [errors.Fault("/after", detail)])
        return tuple(map(_event, rows))

    async def first_session_at(self) -> datetime | None:
        """When the oldest session that is kept was started."""
        at: datetime | None = await self._database.fetch_value(_Q.first_session_at)
        return at

    async def check(self) -> None:
        """Do nothing, but raise if an export could not even begin."""
        await self._database.fetch(_Q.check)

    @asynccontextmanager
    async def exported(self, period: Period) -> AsyncIterator[Cursor]:
        """The events received in some time, in lots with the columns of `formats`, all as of now.

        It keeps a connection for as long as the block lasts, and loses it if a lot is not taken away within a minute.
        """
        async with self._database.transaction("repeatable read") as transaction:
            await transaction.fetch(_Q.lose_slow_readers, limit=_SLOWEST_READER)
            yield await transaction.cursor(_Q.exported_events, LOT, since=period.since, until=period.until)


def _event(row: Row) -> TimelineEvent:
    return TimelineEvent(
        id=row["id"],
        name=row["name"],
        at=row["at"],
        raw_at=row["raw_at"],
        received_at=row["received_at"],
        seq=row["seq"],
        props=None if row["props"] is None else Raw(row["props"]),
        is_cut=row["is_cut"],
    )
