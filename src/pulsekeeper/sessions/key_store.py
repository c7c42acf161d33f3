"""The keys that sign the tokens of sessions, in the database, where all nodes find the same."""

from datetime import datetime, timedelta

from pulsekeeper import errors
from pulsekeeper.postgres import queries
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.failures import UniqueViolation
from pulsekeeper.sessions.tokens import SigningKey

_Q = queries.load("pulsekeeper.sessions")

SESSION_KEYS_CHANGED = "session_keys_changed"
"""Channel on which a new key is announced."""


class SigningKeyStore:
    """The table of signing keys. Every method raises `errors.Unavailable` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_first(self, secret: bytes, now: datetime) -> None:
        """Give the database its first key, unless it has one. Of many nodes that try, one succeeds."""
        await self._database.execute(_Q.add_first_session_key, secret=secret, now=now)

    async def keys(self) -> list[SigningKey]:
        """The keys that are believed, the newest first: two at most, none before `add_first`."""
        rows = await self._database.fetch(_Q.session_keys)
        return [SigningKey(row["id"], bytes(row["secret"])) for row in rows]

    async def rotate(self, secret: bytes, now: datetime, lifetime: timedelta | None) -> None:
        """Put a new key in force on all nodes, and forget all but the one before it.

        Tokens live for `lifetime`. Raises `errors.Conflict`, and changes nothing, when there may be live ones under the
        key that would be forgotten. Without a `lifetime` nobody asks, and they are cut off.
        """
        before = None if lifetime is None else now - lifetime
        async with self._database.transaction() as transaction:
            try:
                added = await transaction.execute(_Q.add_session_key, secret=secret, now=now, before=before)
            except UniqueViolation:
                raise errors.Conflict("somebody else has put a new key in force at this moment") from None
            if not added:
                raise errors.Conflict(
                    f"the last rotation is less than {lifetime} ago: sessions from before it would be cut off"
                )
            await transaction.execute(_Q.retire_session_keys)
            await transaction.notify(SESSION_KEYS_CHANGED)
