"""What is done to tables that are kept by the day: partitions made ahead and dropped, and the rows that have none."""

from datetime import date, datetime

import trio

from pulsekeeper.postgres import partitions, queries
from pulsekeeper.postgres.failures import TransactionConflict
from pulsekeeper.postgres.partitions import Kept
from pulsekeeper.postgres.transactions import Connection

_Q = queries.load("pulsekeeper.postgres")

_BRIEFLY = "set local lock_timeout = '50ms';"
"""Whoever waits for an exclusive lock makes all others queue behind. So no caller waits longer than this for us."""
_ATTEMPTS = 40
_PAUSE = 0.25
"""Seconds between attempts. Where somebody reads for longer than all of them take, it is left to the next hour."""
_DELETED_AT_ONCE = 5_000


class PartitionStore:
    """The partitions of tables, on one connection.

    Every method raises `errors.Unavailable` when the database is away. What changes partitions raises
    `TransactionConflict` when the table was never free for a moment; what was done by then stays done.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def partitions(self, kept: Kept) -> list[str]:
        """The names of a table's partitions."""
        return [row["name"] for row in await self._connection.fetch(_Q.partitions, table=kept.table)]

    async def make_ahead(self, kept: Kept, now: datetime) -> list[str]:
        """Make the partitions of today and the next days where they are missing. Gives their names."""
        days = partitions.missing(kept, await self.partitions(kept), now)
        for day in days:
            await self._alter(partitions.making(kept, day))
        return [partitions.name_of(kept, day) for day in days]

    async def outdated(self, kept: Kept, before: datetime) -> list[date]:
        """The days with a partition that had ended by `before`, oldest first."""
        return partitions.outdated(kept, await self.partitions(kept), before)

    async def drop_outdated(self, kept: Kept, before: datetime) -> list[str]:
        """Drop all days that had ended by `before`. Gives the names of their partitions."""
        return [await self.drop(kept, day) for day in await self.outdated(kept, before)]

    async def drop(self, kept: Kept, day: date) -> str:
        """Drop the partition of a day with all of its rows. Gives its name."""
        await self._alter(partitions.dropping(kept, day))
        return partitions.name_of(kept, day)

    async def delete_stray(self, kept: Kept, before: datetime) -> int:
        """Delete a batch of older rows that have no partition of their own. 0 when there are none left."""
        statement = queries.inline(partitions.deleting_stray(kept))
        return await self._connection.execute(statement, before=before, limit=_DELETED_AT_ONCE)

    async def _alter(self, script: str) -> None:
        for _ in range(_ATTEMPTS):
            if await self._try_to_alter(script):
                return
            await trio.sleep(_PAUSE)
        raise TransactionConflict("The table was never free for a moment.")

    async def _try_to_alter(self, script: str) -> bool:
        """Whether it could be done; if not, somebody was at the table."""
        try:
            async with self._connection.transaction() as transaction:
                await transaction.run_script(_BRIEFLY + script)
        except TransactionConflict:
            return False
        return True
