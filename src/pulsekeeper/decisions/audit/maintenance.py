"""What has to be done to the tables now and then, by one node at a time: bounded, and harmless to do twice."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from pulsekeeper.decisions.audit import partitions
from pulsekeeper.decisions.audit.partitions import KEPT
from pulsekeeper.decisions.audit.upkeep_store import UpkeepStore
from pulsekeeper.decisions.rulebook.salt_store import SALT_BYTES, SaltStore
from pulsekeeper.decisions.rules.model import Settings
from pulsekeeper.postgres.database import Database

_MOST_BATCHES = 1000
"""Of anything, in one run. What is left then is left to the next one."""


class Upkeep(Struct, frozen=True, kw_only=True):
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


async def maintain(database: Database, settings: Settings, now: datetime) -> Upkeep | None:
    """Make partitions ahead, forget anonymous people who are gone, drop what is past its retention.

    `None` when another node is at it. Raises `errors.Unavailable`, and `TransactionConflict` when a table was never
    free for a moment; what was done by then stays done.
    """
    async with database.connection(patient=True) as connection:
        store = UpkeepStore(connection)
        if not await store.take_turn():
            return None
        done = await _maintain(store, settings, now)
        rotated = await _rotate_salt(SaltStore(database), now - settings.salt_lifetime, now)
        await store.end_turn()
        return replace(done, salt_rotated=rotated)


async def _maintain(store: UpkeepStore, settings: Settings, now: datetime) -> Upkeep:
    """The most urgent first: decisions can be logged without the others."""
    made = await _make_partitions(store, now)
    kept_since, known_since = now - settings.log_retention, now - settings.anonymous_retention
    return Upkeep(
        made=made,
        people_purged=await _in_batches(store.purge_anonymous, known_since),
        decisions_deleted=await _in_batches(store.delete_stray_decisions, kept_since),
        impressions_deleted=await _in_batches(store.delete_stray_impressions, kept_since),
        dropped=await _drop_partitions(store, kept_since),
    )


async def _rotate_salt(salts: SaltStore, oldest: datetime, now: datetime) -> bool:
    if not await salts.is_older(oldest):
        return False
    await salts.rotate(secrets.token_bytes(SALT_BYTES), now)
    return True


async def _make_partitions(store: UpkeepStore, now: datetime) -> tuple[str, ...]:
    made = []
    for kept in KEPT:
        for day in partitions.missing(kept, await store.partitions(kept), now):
            await store.make_partition(kept, day)
            made.append(partitions.name_of(kept, day))
    return tuple(made)


async def _drop_partitions(store: UpkeepStore, before: datetime) -> tuple[str, ...]:
    dropped = []
    for kept in KEPT:
        for day in partitions.outdated(kept, await store.partitions(kept), before):
            await store.drop_partition(kept, day)
            dropped.append(partitions.name_of(kept, day))
    return tuple(dropped)


async def _in_batches(delete: Callable[[datetime], Awaitable[int]], before: datetime) -> int:
    total = 0
    for _ in range(_MOST_BATCHES):
        deleted = await delete(before)
        if deleted == 0:
            break
        total += deleted
    return total
