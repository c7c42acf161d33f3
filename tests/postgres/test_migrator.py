"""Forward only, each once, by one node at a time."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio

from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.migrator import FOLDER, MigrationRefused, Status, migrate, plan, read_migrations, status
from pulsekeeper.postgres.queries import inline
from tests.support.postgres import ServerProcess, database_of, run_sql, settings_for, unique_name

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two migrations that have to run in order."""
    (tmp_path / "0001_cats.sql").write_text("create table cats (id int); insert into cats values (1);")
    (tmp_path / "0002_names.sql").write_text("alter table cats add column name text")
    (tmp_path / "notes.txt").write_text("not a migration")
    return tmp_path


@pytest.fixture
def empty_url(postgres_server: ServerProcess) -> str:
    """A database that was never migrated."""
    name = unique_name("empty")
    run_sql(postgres_server.admin_url, f"create database {name}")
    return database_of(postgres_server.admin_url, name)


@pytest.fixture
async def empty(empty_url: str):  # type: ignore[no-untyped-def]  # pytest-trio wants the generator itself
    """An open pool on it."""
    async with open_database(settings_for(empty_url)) as database:
        yield database


async def test_all_that_is_pending_is_applied_in_order(empty: Database, folder: Path) -> None:
    """And then nothing is pending."""
    assert [each.name for each in await plan(empty, folder)] == ["cats", "names"]
    assert [each.number for each in await migrate(empty, NOW, folder)] == [1, 2]
    assert await migrate(empty, NOW, folder) == []
    assert await plan(empty, folder) == []
    assert await empty.fetch(inline("select id, name from cats")) == [(1, None)]


async def test_asking_changes_nothing(empty: Database, folder: Path) -> None:
    """`plan` and `status` do not even leave their own table behind."""
    await plan(empty, folder)
    assert await status(empty, folder) == [Status(1, "cats", None), Status(2, "names", None)]
    assert await empty.fetch_value(inline("select count(*) from pg_tables where schemaname = 'public'")) == 0


async def test_the_status_says_when(empty: Database, folder: Path) -> None:
    """By the clock of the node that did it."""
    await migrate(empty, NOW, folder)
    (folder / "0003_tails.sql").write_text("alter table cats add column tail int")
    assert await status(empty, folder) == [
        Status(1, "cats", NOW),
        Status(2, "names", NOW),
        Status(3, "tails", None),
    ]


async def test_a_migration_that_fails_leaves_nothing_of_itself(empty: Database, folder: Path) -> None:
    """Those before it stay, and the lock is free again."""
    (folder / "0002_names.sql").write_text("alter table cats add column name text; select no_such_column from cats;")
    with pytest.raises(Exception, match="no_such_column"):
        await migrate(empty, NOW, folder)
    assert [each.number for each in await plan(empty, folder)] == [2]
    (folder / "0002_names.sql").write_text("alter table cats add column name text")
    assert [each.number for each in await migrate(empty, NOW, folder)] == [2]


async def test_a_migration_that_was_changed_is_refused(empty: Database, folder: Path) -> None:
    """The sentence says which, and what to do."""
    await migrate(empty, NOW, folder)
    (folder / "0001_cats.sql").write_text("create table cats (id bigint)")
    for refused in (plan, status):
        with pytest.raises(MigrationRefused, match=r"0001 \(cats\) is not what was applied.*write a new one"):
            await refused(empty, folder)
    with pytest.raises(MigrationRefused):
        await migrate(empty, NOW, folder)


async def test_line_endings_do_not_count_as_a_change(empty: Database, folder: Path) -> None:
    """A checkout on another system is the same migration."""
    (folder / "0001_cats.sql").write_bytes(b"create table cats (\n  id int\n)")
    await migrate(empty, NOW, folder)
    (folder / "0001_cats.sql").write_bytes(b"create table cats (\r\n  id int\r\n)")
    assert await plan(empty, folder) == []


async def test_a_newer_database_is_refused(empty: Database, folder: Path) -> None:
    """An old node does not touch what it does not know."""
    await migrate(empty, NOW, folder)
    (folder / "0002_names.sql").unlink()
    with pytest.raises(MigrationRefused, match=r"newer than this version.*0002 \(names\).*0001 is the last"):
        await migrate(empty, NOW, folder)


async def test_a_hole_in_the_record_is_refused(empty: Database, folder: Path) -> None:
    """Somebody has deleted rows by hand."""
    await migrate(empty, NOW, folder)
    await empty.execute(inline("delete from schema_migrations where number = 1"))
    with pytest.raises(MigrationRefused, match="has migration 0002 but not 0001"):
        await migrate(empty, NOW, folder)


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ("0004_later.sql", "0003 is not there, or twice: later"),
        ("0002_again.sql", "0003 is not there, or twice: names"),
        ("3_short.sql", "not called like a migration"),
        ("0003-dash.sql", "not called like a migration"),
    ],
)
def test_files_out_of_line_are_refused(folder: Path, extra: str, sentence: str) -> None:
    """Before the database is asked for anything."""
    (folder / extra).write_text("select 1")
    with pytest.raises(MigrationRefused, match=sentence):
        read_migrations(folder)


async def test_nodes_that_start_at_once_migrate_once(empty_url: str, folder: Path) -> None:
    """One works, the others wait for it; each has a pool of its own."""
    (folder / "0002_names.sql").write_text("select pg_sleep(0.1); alter table cats add column name text")
    applied: list[int] = []

    async def node() -> None:
        async with open_database(settings_for(empty_url)) as database:
            applied.extend([each.number for each in await migrate(database, NOW, folder)])

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(node)
    assert applied == [1, 2]


async def test_a_node_that_is_cancelled_frees_the_lock(empty: Database, folder: Path) -> None:
    """The next one does all of the work."""
    (folder / "0002_names.sql").write_text("select pg_sleep(60)")
    with trio.move_on_after(0.3):
        await migrate(empty, NOW, folder)
    (folder / "0002_names.sql").write_text("alter table cats add column name text")
    with trio.fail_after(10):
        assert [each.number for each in await migrate(empty, NOW, folder)] == [2]


def test_the_package_has_its_migrations_in_order() -> None:
    """Whatever is in the folder can be applied."""
    numbers = [each.number for each in read_migrations(FOLDER)]
    assert numbers == list(range(1, len(numbers) + 1))
