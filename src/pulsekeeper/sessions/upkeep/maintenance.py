"""What has to be done to the tables of sessions now and then, by one node at a time."""

from datetime import UTC, datetime, timedelta
from functools import partial

from msgspec import Struct

from pulsekeeper.postgres.partition_store import PartitionStore
from pulsekeeper.postgres.partitions import Kept, midnight, name_of
from pulsekeeper.postgres.transactions import Connection
from pulsekeeper.postgres.upkeep import in_batches
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.upkeep.upkeep_store import UpkeepStore

EVENTS = Kept(table="events", moment="received_at")

_DAY = timedelta(days=1)


class Maintained(Struct, frozen=True, kw_only=True):
    """What one run has done."""

    made: tuple[str, ...] = ()
    """The partitions that were made ahead."""
    dropped: tuple[str, ...] = ()
    """The partitions that were past their retention."""
    event_ids_forgotten: int = 0
    """Ids of events that are past their retention."""
    events_deleted: int = 0
    """Events past their retention that had no partition of their own."""
    sessions_deleted: int = 0
    """Sessions whose last events are past their retention."""
    rollups_deleted: int = 0
    """Figures about quarters of an hour that are past the retention."""


async def maintain(settings: Settings, connection: Connection, now: datetime) -> Maintained:
    """Make partitions ahead, and delete what is past its retention, in whole days of UTC.

    Events go first, and their sessions only when the last events that these could take are gone: so an event always
    has its session, by which it is found when its installation wants to be erased. Raises `errors.Unavailable`, and
    `TransactionConflict` when a table was never free for a moment; what was done by then stays done.
    """
    tables, store = PartitionStore(connection), UpkeepStore(connection)
    kept_since = midnight((now - settings.retention).astimezone(UTC).date())
    made = await tables.make_ahead(EVENTS, now)
    dropped, forgotten = await _drop_days(tables, store, kept_since)
    return Maintained(
        made=tuple(made),
        dropped=dropped,
        event_ids_forgotten=forgotten + await store.forget_event_ids(EVENTS.default, kept_since),
        events_deleted=await in_batches(partial(tables.delete_stray, EVENTS), kept_since),
        sessions_deleted=await in_batches(store.delete_sessions, kept_since - settings.late),
        rollups_deleted=await in_batches(store.delete_event_rollups, kept_since)
        + await in_batches(store.delete_presence_rollups, kept_since),
    )


async def _drop_days(tables: PartitionStore, store: UpkeepStore, before: datetime) -> tuple[tuple[str, ...], int]:
    """The partitions that were dropped, and how many ids were forgotten.

    Without its id an event that came again would be stored again. It cannot come: its session's token has expired
    long before. The ids go before the events, because afterwards nothing would tell which they were; a run that ends in
    between begins again with the same day.
    """
    dropped, forgotten = [], 0
    for day in await tables.outdated(EVENTS, before):
        forgotten += await store.forget_event_ids(name_of(EVENTS, day), midnight(day + _DAY), midnight(day))
        dropped.append(await tables.drop(EVENTS, day))
    return tuple(dropped), forgotten
