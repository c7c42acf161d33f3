"""Values on their way in and out, and the errors of single statements."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import msgspec
import pytest

from pulsekeeper.errors import Unavailable
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.failures import CheckViolation, ForeignKeyViolation, UniqueViolation
from pulsekeeper.postgres.queries import inline
from pulsekeeper.scalars import Duration
from tests.support.postgres import ping, settings_for

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
MAKE = inline("create table cats (id uuid primary key, lives int constraint few check (lives < 10), mother uuid)")


class Cat(msgspec.Struct, frozen=True, rename="camel"):
    """A row whose wire names differ from its columns."""

    cat_id: UUID
    born_at: datetime


async def test_a_row_is_read_by_name(database: Database) -> None:
    """As a mapping and as attributes; an unknown column is an AttributeError."""
    [row] = await database.fetch(inline("select 1 as one, 'x' as name"))
    assert (row["one"], row.name) == (1, "x")
    with pytest.raises(AttributeError):
        _ = row.two


async def test_no_row_is_none(database: Database) -> None:
    """And no list of rows but an empty one."""
    assert await database.fetch_value(inline("select 1 where false")) is None
    assert await database.fetch(inline("select 1 where false")) == []


async def test_times_come_back_aware_and_in_utc(database: Database) -> None:
    """Whatever zone they were sent in."""
    sent = NOON.astimezone(timezone(timedelta(hours=-9)))
    back = await database.fetch_value(inline("select :at::timestamptz"), at=sent)
    assert (back, back.utcoffset()) == (NOON, timedelta(0))


async def test_uuids_are_plain(database: Database) -> None:
    """`uuid.UUID` itself, also inside arrays; a string is accepted too."""
    one, two = uuid4(), uuid4()
    back = await database.fetch_value(inline("select :ids::uuid[]"), ids=[one, str(two)])
    assert back == [one, two]
    assert {type(each) for each in back} == {UUID}


@pytest.mark.parametrize("kind", ["json", "jsonb"])
@pytest.mark.parametrize("document", [b'{"a": [1, "\xc3\xa9"]}', '{"a": [1, "é"]}'])
async def test_documents_pass_through(database: Database, kind: str, document: bytes | str) -> None:
    """JSON goes in as bytes or text and comes out as bytes: rooms decode it into their own Structs."""
    back = await database.fetch_value(inline(f"select :document::{kind}"), document=document)
    assert type(back) is bytes
    assert msgspec.json.decode(back) == {"a": [1, "é"]}
    assert await database.fetch_value(inline(f"select :many::{kind}[]"), many=[document, None]) == [back, None]


async def test_rows_become_structs(database: Database) -> None:
    """By the names of the columns, and checked."""
    one = uuid4()
    query = inline("select :id::uuid as cat_id, :at::timestamptz as born_at")
    assert await database.fetch_as(Cat, query, id=one, at=NOON) == [Cat(one, NOON)]
    with pytest.raises(msgspec.ValidationError):
        await database.fetch_as(Cat, inline("select 1 as cat_id, now() as born_at"))


async def test_execute_counts_rows(database: Database) -> None:
    """Of inserts, updates and deletes; 0 for what has no rows."""
    assert await database.execute(MAKE) == 0
    insert = inline("insert into cats select id from unnest(:ids::uuid[]) id")
    assert await database.execute(insert, ids=[uuid4() for _ in range(3)]) == 3
    assert await database.execute(inline("update cats set lives = :lives"), lives=9) == 3
    assert await database.execute(inline("delete from cats where lives = :lives"), lives=8) == 0


async def test_copy_loads_all(database: Database) -> None:
    """Rows from any iterable, and their number."""
    await database.execute(MAKE)
    assert await database.copy_in("cats", ("id", "lives"), ((uuid4(), 1) for _ in range(1000))) == 1000
    assert await database.fetch_value(inline("select count(*) from cats")) == 1000


async def test_broken_rules_have_types(database: Database) -> None:
    """Unique, check and foreign key, each with the constraint's name and without the values."""
    await database.execute(MAKE)
    await database.execute(inline("alter table cats add constraint born foreign key (mother) references cats"))
    insert = inline("insert into cats (id, lives, mother) values (:id, :lives, :mother)")
    one = uuid4()
    await database.execute(insert, id=one, lives=1, mother=None)
    with pytest.raises(UniqueViolation) as unique:
        await database.execute(insert, id=one, lives=1, mother=None)
    assert (unique.value.table, unique.value.constraint, str(one) in str(unique.value)) == ("cats", "cats_pkey", False)
    with pytest.raises(CheckViolation, match="few on cats"):
        await database.execute(insert, id=uuid4(), lives=10, mother=None)
    with pytest.raises(ForeignKeyViolation, match="born on cats"):
        await database.execute(insert, id=uuid4(), lives=1, mother=uuid4())


async def test_a_bug_stays_a_bug(database: Database) -> None:
    """A statement that makes no sense, or a value of the wrong type, is nobody's outage; the pool survives both."""
    with pytest.raises(Exception, match="no_such_table") as unknown:
        await database.fetch(inline("select * from no_such_table"))
    with pytest.raises(Exception, match="three") as wrong:
        await database.fetch(inline("select :n::int"), n="three")
    assert not isinstance(unknown.value, Unavailable)
    assert not isinstance(wrong.value, Unavailable)
    await ping(database)


async def test_parameters_are_checked_before_anything_is_asked(database: Database) -> None:
    """A mistake in a store costs no connection."""
    with pytest.raises(TypeError, match="missing parameters"):
        await database.fetch(inline("select :a"))
    assert database.statistics().idle == 0


async def test_a_statement_has_a_limit(database_url: str) -> None:
    """What takes too long is stopped and is `Unavailable`; a patient connection may take longer."""
    settings = settings_for(database_url, statement_timeout=Duration(milliseconds=50))
    async with open_database(settings) as database:
        with pytest.raises(Unavailable, match="in time"):
            await database.fetch(inline("select pg_sleep(60)"))
        async with database.connection(patient=True) as connection:
            await connection.fetch(inline("select pg_sleep(0.1)"))


async def test_prepared_statements_survive_a_change_of_the_schema(database: Database) -> None:
    """A rolling migration under a running node costs nobody an error."""
    await database.execute(MAKE)
    await database.fetch(inline("select * from cats"))
    await database.execute(inline("alter table cats add column name text"))
    assert await database.fetch(inline("select * from cats")) == []
