"""What the upkeep forgets of people."""

from datetime import datetime

from pulsekeeper.postgres import queries
from pulsekeeper.postgres.statements import Statements

_Q = queries.load("pulsekeeper.decisions")

_PURGED_AT_ONCE = 1_000


class UpkeepStore:
    """Rows whose time is over. Every method raises `errors.Unavailable` when the database is away."""

    def __init__(self, database: Statements) -> None:
        self._database = database

    async def purge_anonymous(self, before: datetime) -> int:
        """Forget a batch of anonymous people who were last seen earlier. 0 when there are none left."""
        purged: int = await self._database.fetch_value(_Q.purge_anonymous, before=before, limit=_PURGED_AT_ONCE)
        return purged
