"""Together or not at all, also for those who are cancelled."""

# ruff: noqa: PT012  # what raises is often the end of a block

import pytest
import trio

from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.failures import TransactionConflict, UniqueViolation
from pulsekeeper.postgres.queries import inline
from pulsekeeper.postgres.transactions import Isolation
from tests.support.postgres import settings_for
from tests.support.waiting import all_idle, until_running

INSERT = inline("insert into cats values (:id)")
COUNT = inline("select count(*) from cats")


@pytest.fixture
async def cats(database: Database) -> Database:
    """A database with one empty table."""
    await database.execute(
        inline("create table cats (id int constraint one_each unique deferrable initially deferred)")
    )
    return database


async def test_the_end_of_the_block_commits(cats: Database) -> None:
    """Nobody else sees anything before."""
    async with cats.transaction() as transaction:
        await transaction.execute(INSERT, id=1)
        assert (await transaction.fetch_value(COUNT), await cats.fetch_value(COUNT)) == (1, 0)
    assert await cats.fetch_value(COUNT) == 1


async def test_an_error_rolls_back_and_passes_through(cats: Database) -> None:
    """As it was raised."""
    with pytest.raises(LookupError):
        async with cats.transaction() as transaction:
            await transaction.execute(INSERT, id=1)
            raise LookupError
    assert await cats.fetch_value(COUNT) == 0


async def test_a_cancellation_in_a_statement_rolls_back(cats: Database) -> None:
    """The pool is whole afterwards, and nothing of the transaction is left, its locks included."""

    async def work() -> None:
        async with cats.transaction() as transaction:
            await transaction.execute(INSERT, id=1)
            await transaction.execute(inline("lock table cats"))
            await transaction.fetch(inline("select pg_sleep(60)"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
        await until_running(cats, "%pg_sleep%")
        nursery.cancel_scope.cancel()
    assert await cats.fetch_value(COUNT) == 0
    await all_idle(cats)


async def test_a_cancellation_between_statements_rolls_back(cats: Database) -> None:
    """It is noticed at a checkpoint of the block's own."""
    with trio.CancelScope() as scope:
        async with cats.transaction() as transaction:
            await transaction.execute(INSERT, id=1)
            scope.cancel()
            await trio.lowlevel.checkpoint()
    assert await cats.fetch_value(COUNT) == 0


async def test_a_cancellation_at_the_end_commits(cats: Database) -> None:
    """The block was through: the commit is neither skipped nor left half done."""
    with trio.CancelScope() as scope:
        async with cats.transaction() as transaction:
            await transaction.execute(INSERT, id=1)
            scope.cancel()
    assert scope.cancel_called
    assert await cats.fetch_value(COUNT) == 1


async def test_a_cancellation_at_any_moment_commits_all_or_nothing(cats: Database) -> None:
    """Whoever was told that the block is over finds both rows; nobody ever finds one of the two."""
    done: set[int] = set()

    async def work(number: int) -> None:
        with trio.move_on_after(number / 10_000):
            async with cats.transaction() as transaction:
                await transaction.execute(INSERT, id=2 * number)
                await transaction.execute(INSERT, id=2 * number + 1)
            done.add(number)

    async with trio.open_nursery() as nursery:
        for number in range(150):
            nursery.start_soon(work, number)
    rows = await cats.fetch(inline("select id / 2 as number, count(*) from cats group by 1"))
    assert {row.count for row in rows} <= {2}
    assert done == {row.number for row in rows}


async def test_a_failure_at_commit_reaches_the_caller(cats: Database) -> None:
    """A rule that is checked last."""
    with pytest.raises(UniqueViolation, match="one_each on cats"):
        async with cats.transaction() as transaction:
            await transaction.execute(INSERT, id=1)
            await transaction.execute(INSERT, id=1)
    assert await cats.fetch_value(COUNT) == 0


async def test_a_swallowed_error_does_not_pass_for_a_commit(cats: Database) -> None:
    """The server answers COMMIT with a rollback then, and says so only in passing."""
    with pytest.raises(RuntimeError, match="rolled back"):
        async with cats.transaction() as transaction:
            await transaction.execute(INSERT, id=1)
            with pytest.raises(Exception, match="no_such_table"):
                await transaction.fetch(inline("select * from no_such_table"))
    assert await cats.fetch_value(COUNT) == 0


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
async def test_the_isolation_is_the_callers_choice(cats: Database, isolation: Isolation) -> None:
    """For this transaction, and not for the next one on the same session."""
    show = inline("show transaction_isolation")
    async with cats.transaction(isolation) as transaction:
        assert await transaction.fetch_value(show) == isolation
    assert await cats.fetch_value(show) == "read committed"


async def test_two_that_cannot_both_win_are_a_conflict(cats: Database) -> None:
    """The loser may try again."""
    await cats.execute(INSERT, id=1)
    grow = inline("update cats set id = id + 1")
    with pytest.raises(TransactionConflict):
        async with cats.transaction("repeatable read") as slow:
            await slow.fetch(COUNT)
            await cats.execute(grow)
            await slow.execute(grow)
    assert await cats.fetch_value(inline("select id from cats")) == 2


async def test_several_transactions_on_one_connection(cats: Database) -> None:
    """One that fails is rolled back before the next begins; one that is cancelled, too."""
    async with cats.connection() as connection:
        with pytest.raises(LookupError):
            async with connection.transaction() as transaction:
                await transaction.execute(INSERT, id=1)
                raise LookupError
        with trio.move_on_after(0.01):
            async with connection.transaction() as transaction:
                await transaction.execute(INSERT, id=2)
                await transaction.fetch(inline("select pg_sleep(60)"))
        async with connection.transaction() as transaction:
            await transaction.execute(INSERT, id=3)
        assert await connection.fetch_value(inline("select id from cats")) == 3


async def test_a_notice_in_a_transaction_waits_for_its_commit(database_url: str) -> None:
    """What is rolled back is told to nobody."""
    async with open_database(settings_for(database_url)) as database, database.listen("cats") as notices:
        await notices.receive()
        with pytest.raises(LookupError):
            async with database.transaction() as transaction:
                await transaction.notify("cats", "never")
                raise LookupError
        async with database.transaction() as transaction:
            await transaction.notify("cats", "born")
            assert notices.statistics().current_buffer_used == 0
        assert getattr(await notices.receive(), "payload", None) == "born"


async def test_a_cursor_reads_rows_in_lots(cats: Database) -> None:
    """As of its opening: also those that the same transaction deletes meanwhile."""
    async with cats.transaction() as transaction:
        await transaction.execute(inline("insert into cats select * from generate_series(1, 5)"))
        select = inline("select id from cats where id > :least order by id")
        lots = await transaction.cursor(select, 2, least=0)
        found = [[row.id for row in await anext(lots)]]
        await transaction.execute(inline("delete from cats"))
        found += [[row.id for row in rows] async for rows in lots]
    assert found == [[1, 2], [3, 4], [5]]


async def test_cursors_of_different_queries_live_side_by_side(cats: Database) -> None:
    """And one after the other: the connection does not take the columns of one for those of another."""
    queries = [
        inline("select g from generate_series(1, :n) g"),
        inline("select g, 'x' as x from generate_series(1, :n) g"),
    ]
    async with cats.connection() as connection:
        for _ in range(2):
            async with connection.transaction() as transaction:
                lots = [await transaction.cursor(query, 1, n=2) for query in queries]
                found = [tuple(row) for each in (*lots, *lots) for row in await anext(each)]
            assert found == [(1,), (1, "x"), (2,), (2, "x")]


async def test_a_cursor_over_nothing_gives_nothing(cats: Database) -> None:
    async with cats.transaction() as transaction:
        assert [rows async for rows in await transaction.cursor(inline("select id from cats"), 2)] == []


async def test_a_cursor_that_is_left_in_the_middle_gives_its_connection_back(cats: Database) -> None:
    """To whoever asks next, on a pool of any size."""
    with trio.CancelScope() as scope:
        async with cats.transaction() as transaction:
            async for _ in await transaction.cursor(inline("select generate_series(1, 9)"), 2):
                scope.cancel()
    await all_idle(cats)
    assert cats.statistics().idle == 1


async def test_rollback_is_nobodys_wait(cats: Database) -> None:
    """The caller leaves at once, and the session comes back by itself."""
    with pytest.raises(LookupError):
        async with cats.transaction():
            raise LookupError
    assert cats.statistics().busy == 1

    await all_idle(cats)
    assert cats.statistics().idle == 1
