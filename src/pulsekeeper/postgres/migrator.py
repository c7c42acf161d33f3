"""Brings the schema up to date: numbered SQL files, forward only, each in a transaction of its own.

Any number of nodes may start at once: one of them works under an advisory lock, the others wait for it and then find
nothing to do. What was applied is recorded with a checksum, because a file that was changed after the fact would mean
that two installations with the same number have different schemas.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec

from pulsekeeper.errors import Conflict
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import load
from pulsekeeper.postgres.statements import Statements

Q = load("pulsekeeper.postgres")
FOLDER: Traversable = files("pulsekeeper.postgres") / "migrations"
_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_RECORD = """
create table if not exists schema_migrations (
    number integer primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null
)
"""


class MigrationRefused(Conflict):
    """The files and the database contradict each other, and only a person can say which is right."""

    title = "Migration refused"


class Migration(msgspec.Struct, frozen=True):
    """One file."""

    number: int
    name: str
    sql: str
    checksum: str
    """SHA-256 of the text, in hexadecimal."""


class Applied(msgspec.Struct, frozen=True):
    """What the database remembers of one file."""

    number: int
    name: str
    checksum: str
    applied_at: datetime


class Status(msgspec.Struct, frozen=True):
    """One line of `pulsekeeper migrate status`."""

    number: int
    name: str
    applied_at: datetime | None
    """None while it is pending."""


async def migrate(database: Database, now: datetime, folder: Traversable = FOLDER) -> list[Migration]:
    """Apply what is pending, and give it. Waits for another node that is at it; takes as long as it takes."""
    async with database.connection(patient=True) as connection:
        await connection.fetch(Q.lock_migrations)
        await connection.run_script(_RECORD)
        pending = await plan(connection, folder)
        for migration in pending:
            async with connection.transaction() as transaction:
                await transaction.run_script(migration.sql)
                await transaction.execute(
                    Q.record_migration,
                    number=migration.number,
                    name=migration.name,
                    checksum=migration.checksum,
                    applied_at=now,
                )
        await connection.fetch(Q.unlock_migrations)
    return pending


async def plan(database: Statements, folder: Traversable = FOLDER) -> list[Migration]:
    """What is pending, in order. Raises `MigrationRefused` when it cannot be applied."""
    return pending(read_migrations(folder), await _applied(database))


async def status(database: Statements, folder: Traversable = FOLDER) -> list[Status]:
    """Every migration there is, with the time when it was applied. Raises `MigrationRefused` like `plan`."""
    migrations, applied = read_migrations(folder), await _applied(database)
    pending(migrations, applied)
    times = {row.number: row.applied_at for row in applied}
    return [Status(each.number, each.name, times.get(each.number)) for each in migrations]


def read_migrations(folder: Traversable) -> list[Migration]:
    """The files of a folder, in order. Raises `MigrationRefused` for a name or a number that is out of line."""
    found = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    migrations = [_read(entry) for entry in found]
    for expected, migration in enumerate(migrations, start=1):
        if migration.number != expected:
            raise MigrationRefused(f"Migration {expected:04} is not there, or twice: {migration.name} follows.")
    return migrations


def pending(migrations: Sequence[Migration], applied: Sequence[Applied]) -> list[Migration]:
    """What is not yet applied. Raises `MigrationRefused` unless what was applied is how `migrations` begins."""
    if len(applied) > len(migrations):
        raise MigrationRefused(
            f"The database is newer than this version of Pulsekeeper: it has migration {applied[-1].number:04} "
            f"({applied[-1].name}), and {len(migrations):04} is the last one known here."
        )
    for migration, row in zip(migrations, applied, strict=False):
        if row.number != migration.number:
            raise MigrationRefused(f"The database has migration {row.number:04} but not {migration.number:04}.")
        if row.checksum != migration.checksum:
            raise MigrationRefused(
                f"Migration {migration.number:04} ({migration.name}) is not what was applied at {row.applied_at}."
                " A migration that was applied is never changed; write a new one."
            )
    return list(migrations[len(applied) :])


async def _applied(database: Statements) -> list[Applied]:
    if not await database.fetch_value(Q.migrations_recorded):
        return []
    return await database.fetch_as(Applied, Q.list_migrations)


def _read(entry: Traversable) -> Migration:
    named = _FILE.fullmatch(entry.name)
    if named is None:
        raise MigrationRefused(f"{entry.name} is not called like a migration: 0001_first_tables.sql")
    sql = entry.read_text("utf-8")
    return Migration(int(named[1]), named[2], sql, hashlib.sha256(sql.encode()).hexdigest())
