"""What maintenance does to the tables: partitions, and rows whose time is over."""

from datetime import date, datetime

import trio

from pulsekeeper.decisions.audit import partitions
from pulsekeeper.decisions.audit.partitions import Kept
from pulsekeeper.postgres import queries
from pulsekeeper.postgres.failures import TransactionConflict
from pulsekeeper.postgres.transactions import Connection

_Q = queries.load("pulsekeeper.decisions")

_BRIEFLY = "set local lock_timeout = '50ms';"
"""Whoever waits for an exclusive lock makes all others queue behind. So no page waits longer than this for us."""
_ATTEMPTS = 40
_PAUSE = 0.25
"""Seconds between attempts. Where somebody reads for longer than all of them take, it is left to the next hour."""
_DELETED_AT_ONCE = 5_000
_PURGED_AT_ONCE = 1_000


class UpkeepStore:
    """Maintenance on one connection. Every method raises `errors.Unavailable` when the database is away."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def take_turn(self) -> bool:
        """Whether it is this node's turn. It stays so until the connection is given back or lost."""
        return bool(await self._connection.fetch_value(_Q.take_turn_at_maintenance))

    async def end_turn(self) -> None:
        """Let the next node have its turn at once. After an error the connection lets go of it, a moment later."""
        await self._connection.fetch_value(_Q.end_turn_at_maintenance)

    async def partitions(self, kept: Kept) -> list[str]:
        """The names of a table's partitions."""
        return [row["name"] for row in await self._connection.fetch(_Q.partitions, table=kept.table)]

    async def make_partition(self, kept: Kept, day: date) -> None:
        """Make the partition of a day. Raises `TransactionConflict` when the table is never free for a moment."""
        await self._alter(partitions.making(kept, day))

    async def drop_partition(self, kept: Kept, day: date) -> None:
        """Drop the partition of a day. Raises `TransactionConflict` when the table is never free for a moment."""
        await self._alter(partitions.dropping(kept, day))

    async def delete_stray_decisions(self, before: datetime) -> int:
        """Delete a batch of older decisions that have no partition of their own. 0 when there are none left."""
        return await self._connection.execute(_Q.delete_stray_decisions, before=before, limit=_DELETED_AT_ONCE)

    async def delete_stray_impressions(self, before: datetime) -> int:
        """The same for impressions."""
        return await self._connection.execute(_Q.delete_stray_impressions, before=before, limit=_DELETED_AT_ONCE)

    async def purge_anonymous(self, before: datetime) -> int:
        """Forget a batch of anonymous people who were last seen earlier. 0 when there are none left."""
        purged: int = await self._connection.fetch_value(_Q.purge_anonymous, before=before, limit=_PURGED_AT_ONCE)
        return purged

    async def _alter(self, script: str) -> None:
        for _ in range(_ATTEMPTS):
            if await self._is_altered(script):
                return
            await trio.sleep(_PAUSE)
        raise TransactionConflict("The table was never free for a moment.")

    async def _is_altered(self, script: str) -> bool:
        try:
            async with self._connection.transaction() as transaction:
                await transaction.run_script(_BRIEFLY + script)
        except TransactionConflict:
            return False
        return True
