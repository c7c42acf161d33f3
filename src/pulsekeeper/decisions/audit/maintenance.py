"""What has to be done to the tables of decisions now and then, by one node at a time."""

import secrets
from datetime import datetime
from functools import partial

from msgspec import Struct

from pulsekeeper.decisions.audit.upkeep_store import UpkeepStore
from pulsekeeper.decisions.rulebook.salt_store import SALT_BYTES, SaltStore
from pulsekeeper.decisions.rules.model import Settings
from pulsekeeper.postgres.partition_store import PartitionStore
from pulsekeeper.postgres.partitions import Kept
from pulsekeeper.postgres.transactions import Connection
from pulsekeeper.postgres.upkeep import in_batches

DECISION_LOG = Kept(table="decision_log", moment="decided_at")
IMPRESSIONS = Kept(table="impressions", moment="happened_at")


class Maintained(Struct, frozen=True, kw_only=True):
    """What one run has done."""

    made: tuple[str, ...] = ()
    """The partitions that were made ahead."""
    dropped: tuple[str, ...] = ()
    """The partitions that were past their retention."""
    decisions_deleted: int = 0
    """Decisions past their retention that had no partition of their own."""
    impressions_deleted: int = 0
    """The same of impressions."""
    people_purged: int = 0
    """Anonymous people who were not seen for too long."""
    salt_rotated: bool = False
    """Whether the salt had got too old."""


async def maintain(settings: Settings, connection: Connection, now: datetime) -> Maintained:
    """Make partitions ahead, forget anonymous people who are gone, drop what is past its retention.

    The most urgent first: decisions can be logged without the others. Raises `errors.Unavailable`, and
    `TransactionConflict` when a table was never free for a moment; what was done by then stays done.
    """
    tables = PartitionStore(connection)
    kept_since, known_since = now - settings.log_retention, now - settings.anonymous_retention
    return Maintained(
        made=(*await tables.make_ahead(DECISION_LOG, now), *await tables.make_ahead(IMPRESSIONS, now)),
        people_purged=await in_batches(UpkeepStore(connection).purge_anonymous, known_since),
        decisions_deleted=await in_batches(partial(tables.delete_stray, DECISION_LOG), kept_since),
        impressions_deleted=await in_batches(partial(tables.delete_stray, IMPRESSIONS), kept_since),
        dropped=(
            *await tables.drop_outdated(DECISION_LOG, kept_since),
            *await tables.drop_outdated(IMPRESSIONS, kept_since),
        ),
        salt_rotated=await _rotate_salt(SaltStore(connection), now - settings.salt_lifetime, now),
    )


async def _rotate_salt(salts: SaltStore, oldest: datetime, now: datetime) -> bool:
    if not await salts.is_older(oldest):
        return False
    await salts.rotate(secrets.token_bytes(SALT_BYTES), now)
    return True
