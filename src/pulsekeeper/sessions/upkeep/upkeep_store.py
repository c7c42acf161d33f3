"""What is deleted when its time is over, in bounded batches."""

from datetime import UTC, datetime

from pulsekeeper.postgres import queries
from pulsekeeper.postgres.statements import Statements

_Q = queries.load("pulsekeeper.sessions.upkeep")

_DELETED_AT_ONCE = 5_000
_PAGES_AT_ONCE = 64
"""Pages of events whose ids are forgotten together: a few thousand events, at most."""
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class UpkeepStore:
    """Rows whose time is over. Every method raises `errors.Unavailable` when the database is away."""

    def __init__(self, database: Statements) -> None:
        self._database = database

    async def forget_event_ids(self, partition: str, before: datetime, since: datetime = _EVER) -> int:
        """Take out the ids of a partition's events that were received in this time; gives their number.

        With the bounds of a day, only the partition of that day is read.
        """
        pages: int = await self._database.fetch_value(_Q.pages, table=partition)
        forgotten = 0
        for first in range(0, pages, _PAGES_AT_ONCE):
            bounds = {"start": since, "end": before, "first": (first, 0), "last": (first + _PAGES_AT_ONCE, 0)}
            forgotten += await self._database.execute(_Q.forget_event_ids, **bounds)
        return forgotten

    async def delete_sessions(self, before: datetime) -> int:
        """Delete a batch of sessions that ended earlier, with their roll-ups. 0 when there are none left."""
        deleted: int = await self._database.fetch_value(_Q.delete_sessions, before=before, limit=_DELETED_AT_ONCE)
        return deleted

    async def delete_event_rollups(self, before: datetime) -> int:
        """Delete a batch of roll-ups of earlier quarters. 0 when there are none left."""
        return await self._database.execute(_Q.delete_event_rollups, before=before, limit=_DELETED_AT_ONCE)

    async def delete_presence_rollups(self, before: datetime) -> int:
        """The same of presence."""
        return await self._database.execute(_Q.delete_presence_rollups, before=before, limit=_DELETED_AT_ONCE)
