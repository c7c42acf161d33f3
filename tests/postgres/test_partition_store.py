"""A table kept by the day, on a real database: where its rows are, and what happens while others use it."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest
import trio

from pulsekeeper.postgres import partition_store
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.failures import TransactionConflict
from pulsekeeper.postgres.partition_store import PartitionStore
from pulsekeeper.postgres.partitions import Kept
from pulsekeeper.postgres.queries import inline
from tests.support.waiting import until_running

NOW = datetime(2026, 3, 1, 23, 59, 59, 999999, tzinfo=UTC)
TODAY = date(2026, 3, 1)
MICROSECOND = timedelta(microseconds=1)
NOTES = Kept(table="notes", moment="at")
ADD = inline("insert into notes (at) values (:at)")
PLACES = inline("select at, tableoid::regclass::text as place from notes order by at")
CREATE = """
    create table notes (at timestamptz not null) partition by range (at);
    create index notes_at on notes (at);
    create table notes_default partition of notes default;
"""


@pytest.fixture
async def store(database: Database) -> AsyncIterator[PartitionStore]:
    async with database.connection(patient=True) as connection:
        await connection.run_script(CREATE)
        yield PartitionStore(connection)


async def places(database: Database) -> dict[datetime, str]:
    return {row["at"]: row["place"] for row in await database.fetch(PLACES)}


async def test_today_and_a_week_are_made_once(store: PartitionStore) -> None:
    made = await store.make_ahead(NOTES, NOW)

    assert (made[0], made[-1], len(made)) == ("notes_20260301", "notes_20260308", 8)
    assert await store.partitions(NOTES) == [*made, "notes_default"]
    assert await store.make_ahead(NOTES, NOW) == []


async def test_a_day_has_its_first_moment_and_not_the_next_days(store: PartitionStore, database: Database) -> None:
    midnight = NOW + MICROSECOND
    await store.make_ahead(NOTES, NOW)
    for at in (NOW, midnight):
        await database.execute(ADD, at=at)

    assert await places(database) == {NOW: "notes_20260301", midnight: "notes_20260302"}


async def test_rows_move_out_of_the_default_partition_by_the_same_bounds(
    store: PartitionStore, database: Database
) -> None:
    first, after, before = NOW.replace(hour=0, minute=0, second=0, microsecond=0), NOW + MICROSECOND, NOW
    first_of_all = first - MICROSECOND
    for at in (first_of_all, first, before, after):
        await database.execute(ADD, at=at)

    await store.make_ahead(NOTES, NOW)

    assert await places(database) == {
        first_of_all: "notes_default",
        first: "notes_20260301",
        before: "notes_20260301",
        after: "notes_20260302",
    }


async def test_a_day_is_dropped_when_all_of_it_is_outdated(store: PartitionStore, database: Database) -> None:
    await store.make_ahead(NOTES, NOW)
    await database.execute(ADD, at=NOW)

    assert await store.drop_outdated(NOTES, NOW) == []
    assert await store.outdated(NOTES, NOW + MICROSECOND) == [TODAY]
    assert await store.drop_outdated(NOTES, NOW + MICROSECOND) == ["notes_20260301"]
    assert await places(database) == {}


async def test_stray_rows_are_deleted_a_batch_at_a_time(
    store: PartitionStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_store, "_DELETED_AT_ONCE", 2)
    for seconds in range(5):
        await database.execute(ADD, at=NOW - timedelta(seconds=seconds))

    assert [await store.delete_stray(NOTES, NOW) for _ in range(3)] == [2, 2, 0]
    assert await places(database) == {NOW: "notes_default"}


async def test_a_drop_waits_for_a_reader_without_making_others_wait(store: PartitionStore, database: Database) -> None:
    await store.make_ahead(NOTES, NOW)
    dropped: list[str] = []

    async def drop() -> None:
        dropped.append(await store.drop(NOTES, TODAY))

    async with trio.open_nursery() as nursery, database.transaction() as reader:
        await reader.fetch(PLACES)
        nursery.start_soon(drop)
        await until_running(database, "%drop table%")
        with trio.fail_after(1):
            await database.execute(ADD, at=NOW)
        assert dropped == []

    assert dropped == ["notes_20260301"]


async def test_a_table_that_is_never_free_is_a_conflict(
    store: PartitionStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_store, "_ATTEMPTS", 2)
    monkeypatch.setattr(partition_store, "_PAUSE", 0.0)
    async with database.transaction() as reader:
        await reader.fetch(PLACES)
        with pytest.raises(TransactionConflict):
            await store.make_ahead(NOTES, NOW)

    assert len(await store.make_ahead(NOTES, NOW)) == 8
