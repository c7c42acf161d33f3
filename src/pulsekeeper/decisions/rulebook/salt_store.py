"""The secrets under which anonymous people are hashed: one in force, and the one before it until the next rotation."""

from datetime import datetime

import msgspec

from pulsekeeper import errors
from pulsekeeper.decisions.rulebook.rule_store import RULE_BOOK_CHANGED
from pulsekeeper.postgres import queries
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.transactions import Connection

_Q = queries.load("pulsekeeper.decisions")

SALT_BYTES = 32


class Salts(msgspec.Struct, frozen=True):
    """What anonymous keys are made with."""

    in_force: bytes
    previous: bytes | None
    """Rows that are still under this one are moved when their people come back."""


class SaltStore:
    """The table of salts. Every method raises `errors.Unavailable` when the database is away."""

    def __init__(self, database: Database | Connection) -> None:
        self._database = database

    async def add_first(self, secret: bytes, now: datetime) -> None:
        """Give the database its first salt, unless it has one."""
        await self._database.execute(_Q.add_first_salt, secret=secret, now=now)

    async def salts(self) -> Salts:
        """The salts that are not retired. Raises `Unavailable` before `add_first`."""
        secrets = [bytes(row["secret"]) for row in await self._database.fetch(_Q.salts)]
        if not secrets:
            raise errors.Unavailable("No node has started to decide yet.", retry_after=1.0)
        return Salts(secrets[0], secrets[1] if len(secrets) > 1 else None)

    async def is_older(self, moment: datetime) -> bool:
        """Whether the salt in force was made before `moment`."""
        return bool(await self._database.fetch_value(_Q.salt_is_older, moment=moment))

    async def rotate(self, secret: bytes, now: datetime) -> None:
        """Put a new salt in force, and retire all but the last one: who has not come back since cannot be recognised.

        In force on every node with its next commit, like any change of the rules.
        """
        async with self._database.transaction() as transaction:
            revision = await transaction.fetch_value(_Q.next_revision)
            await transaction.execute(_Q.add_salt, secret=secret, now=now)
            await transaction.execute(_Q.retire_salts)
            await transaction.notify(RULE_BOOK_CHANGED, str(revision))
