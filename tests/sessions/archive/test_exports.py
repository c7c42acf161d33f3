"""Files of every format, read back by what they are made for."""

import csv
import io
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
import trio

from pulsekeeper import errors
from pulsekeeper.postgres.database import Database
from pulsekeeper.sessions.archive import archive_store, lake
from pulsekeeper.sessions.archive.archive_store import ArchiveStore
from pulsekeeper.sessions.archive.exports import open_export, write_export
from pulsekeeper.sessions.archive.formats import COLUMNS
from pulsekeeper.sessions.archive.periods import Format, Period
from tests.support.sessions_archive import INSTALLATION, NASTY, NOON, SESSION, add_events, add_many, add_nasty, props_of
from tests.support.waiting import all_idle

EVER = Period(NOON - timedelta(days=9), NOON + timedelta(days=9))
FORMATS: tuple[Format, ...] = ("ndjson", "csv", "parquet")


@pytest.fixture
def store(database: Database) -> ArchiveStore:
    return ArchiveStore(database)


async def whole(store: ArchiveStore, to: Format) -> bytes:
    async with open_export(store, EVER, to) as chunks:
        return b"".join([chunk async for chunk in chunks])


def queried(path: Path, sql: str) -> list[Any]:
    """What DuckDB finds in a Parquet file."""
    with duckdb.connect() as connection:
        return connection.execute(sql, [str(path)]).fetchall()


def is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


async def test_ndjson_is_read_back(store: ArchiveStore, database: Database) -> None:
    await add_nasty(database)

    events = [msgspec.json.decode(line) for line in (await whole(store, "ndjson")).splitlines()]

    assert [event["props"] for event in events] == list(NASTY)
    assert {tuple(event) for event in events} == {COLUMNS}


async def test_csv_is_read_back(store: ArchiveStore, database: Database) -> None:
    await add_nasty(database)

    text = (await whole(store, "csv")).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))

    assert props_of([row["props"] or None for row in rows]) == list(NASTY)
    assert {tuple(row) for row in rows} == {COLUMNS}


async def test_parquet_is_read_back(store: ArchiveStore, database: Database, tmp_path: Path) -> None:
    await add_nasty(database)
    path = tmp_path / "it's [all] there*.parquet"

    count = await write_export(store, EVER, "parquet", path)

    (tmp_path / "events.parquet").write_bytes(path.read_bytes())
    rows = queried(tmp_path / "events.parquet", "select props from read_parquet(?)")
    assert count == len(NASTY)
    assert props_of([props for (props,) in rows]) == list(NASTY)


async def test_parquet_has_the_types_of_the_table(store: ArchiveStore, database: Database, tmp_path: Path) -> None:
    raw_at, path = NOON - timedelta(microseconds=1), tmp_path / "events.parquet"
    await add_events(database, {"raw_at": raw_at, "seq": 2**63 - 1, "is_cut": True}, {})

    path.write_bytes(await whole(store, "parquet"))
    kinds = queried(path, "describe from read_parquet(?)")
    whens = ", ".join(f'epoch_us("{name}") as "{name}"' for name in ("receivedAt", "at", "rawAt"))
    rows = queried(path, f"select * replace ({whens}) from read_parquet(?)")  # noqa: S608  # names from above

    when = "TIMESTAMP WITH TIME ZONE"
    kind = [when, "UUID", "UUID", "UUID", "VARCHAR", when, when, "BIGINT", "VARCHAR", "BOOLEAN"]
    noon = round(NOON.timestamp() * 1e6)
    assert [row[:2] for row in kinds] == list(zip(COLUMNS, kind, strict=True))
    assert rows[0][:3] == (noon, SESSION, INSTALLATION)
    assert rows[0][4:] == ("story_opened", noon, noon - 1, 2**63 - 1, None, True)
    assert rows[1][6:] == (None, None, None, False)


@pytest.mark.parametrize(("to", "expected"), [("ndjson", b""), ("csv", ",".join(COLUMNS).encode() + b"\r\n")])
async def test_nothing_is_a_file_as_well(to: Format, expected: bytes, store: ArchiveStore) -> None:
    assert await whole(store, to) == expected


async def test_nothing_is_a_table_without_rows(store: ArchiveStore, tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"

    assert await write_export(store, EVER, "parquet", path) == 0
    assert queried(path, "select count(*) from read_parquet(?)") == [(0,)]


@pytest.mark.parametrize("to", FORMATS)
async def test_a_file_and_a_stream_are_the_same(
    to: Format, store: ArchiveStore, database: Database, tmp_path: Path
) -> None:
    await add_many(database, archive_store.LOT + 1)
    path = tmp_path / "events"

    assert await write_export(store, EVER, to, path) == archive_store.LOT + 1
    assert path.read_bytes() == await whole(store, to)


async def test_a_stream_makes_a_lot_at_a_time(
    store: ArchiveStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads slowly is not written for ahead: the database is asked for the next lot when it is wanted."""
    monkeypatch.setattr(archive_store, "LOT", 10)
    await add_many(database, 25)

    async with open_export(store, EVER, "ndjson") as chunks:
        sizes = [chunk.count(b"\n") async for chunk in chunks]

    assert sizes == [10, 10, 5]


@pytest.mark.parametrize("to", FORMATS)
async def test_who_hangs_up_in_the_middle_gives_the_connection_back(
    to: Format, store: ArchiveStore, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And leaves no temporary file."""
    monkeypatch.setattr(archive_store, "LOT", 10)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    await add_many(database, 25)

    with trio.CancelScope() as scope:
        async with open_export(store, EVER, to) as chunks:
            async for _ in chunks:
                scope.cancel()
    await all_idle(database)

    assert scope.cancelled_caught
    assert is_empty(tmp_path)


async def test_the_largest_events_do_not_pile_up_in_memory(tmp_path: Path) -> None:
    """What is written together is limited by its bytes, and not by its rows. The order stays."""
    source, target, many = tmp_path / "events.csv", tmp_path / "events.parquet", 5000
    row = f"{NOON.isoformat()},{SESSION},{SESSION},{SESSION},a,{NOON.isoformat()},,"
    lines = (f'{row}{place},"{{""a"":""{"x" * 9000}""}}",false\r\n' for place in range(many))
    source.write_text(",".join(COLUMNS) + "\r\n" + "".join(lines))

    await lake.csv_to_parquet(source, target)

    groups = queried(target, "select distinct row_group_id from parquet_metadata(?)")
    numbers = queried(target, "select seq from read_parquet(?)")
    assert len(groups) > 1
    assert numbers == [(place,) for place in range(many)]


async def test_duckdb_stops_when_its_caller_does(tmp_path: Path) -> None:
    """A thread cannot be cancelled; its query can."""
    endless = "select count(*) from range(100000000000) a, range(1000) b where a.range % 7 = b.range"
    with lake.open_lake(tmp_path) as connection:
        with trio.move_on_after(0.05) as scope:
            await lake.run(connection, endless)

        assert scope.cancelled_caught
        await lake.run(connection, "select 1")


async def test_duckdb_fetches_nothing(tmp_path: Path) -> None:
    """Not even an extension that would help."""
    with lake.open_lake(tmp_path) as connection, pytest.raises(duckdb.Error, match="httpfs"):
        connection.execute("from read_parquet('https://127.0.0.1:1/events.parquet')")


async def test_without_duckdb_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    lake.require()
    monkeypatch.setattr(lake, "find_spec", lambda _: None)
    with pytest.raises(errors.Invalid, match=r"pip install 'pulsekeeper\[lake\]'"):
        lake.require()


async def test_a_file_that_cannot_be_written_is_an_error_of_the_system(store: ArchiveStore, tmp_path: Path) -> None:
    for to in FORMATS:
        with pytest.raises(OSError, match=r"nowhere|No such file"):
            await write_export(store, EVER, to, tmp_path / "nowhere" / "events")
