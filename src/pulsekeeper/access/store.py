"""The keys' table: one method per statement."""

from datetime import datetime

from pulsekeeper.access.model import ApiKey
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import load

QUERIES = load("pulsekeeper.access")


class KeyStore:
    """Keys in PostgreSQL. Every method raises `Unavailable` while the database cannot be reached."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, key: ApiKey) -> None:
        """Store a new key. Raises `UniqueViolation` when its id is taken."""
        await self._database.execute(
            QUERIES.insert_key,
            id=key.id,
            scope=key.scope.value,
            hash=key.hash,
            name=key.name,
            created_at=key.created_at,
        )

    async def find(self, key_id: str) -> ApiKey | None:
        """The key with this id, unless it was revoked."""
        keys = await self._database.fetch_as(ApiKey, QUERIES.find_key, id=key_id)
        return keys[0] if keys else None

    async def list(self) -> list[ApiKey]:
        """All keys, revoked ones included, the oldest first."""
        return await self._database.fetch_as(ApiKey, QUERIES.list_keys)

    async def revoke(self, key_id: str, now: datetime) -> bool:
        """End a key; false when there is no such key or it has ended before."""
        return await self._database.fetch_value(QUERIES.revoke_key, id=key_id, now=now) is not None

    async def touch(self, key_id: str, now: datetime, before: datetime) -> None:
        """Note that a key was used, unless that was noted since `before`."""
        await self._database.execute(QUERIES.touch_key, id=key_id, now=now, before=before)
