"""Sessions are shared, bounded, and never handed on in a state that somebody else left."""

from collections.abc import Iterator

import pytest
import trio

from pulsekeeper.errors import Unavailable
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.pool import Statistics
from pulsekeeper.postgres.queries import inline
from pulsekeeper.scalars import Duration
from tests.support.postgres import ping, settings_for
from tests.support.waiting import all_idle, until_running

SLEEP = inline("select pg_sleep(60)")
BACKEND = inline("select pg_backend_pid()")
MAKE = inline("create table cats (id int)")
COUNT = inline("select count(*) from cats")


async def test_nothing_is_opened_ahead(database: Database) -> None:
    """A database that nobody asks is not connected to."""
    assert database.statistics() == Statistics(limit=10, idle=0, busy=0, waiting=0)
    await ping(database)
    assert database.statistics() == Statistics(limit=10, idle=1, busy=0, waiting=0)


async def test_the_session_used_last_is_used_next(database: Database) -> None:
    """Without load one connection does everything."""
    assert len({await database.fetch_value(BACKEND) for _ in range(20)}) == 1


async def test_more_tasks_than_sessions_take_turns(database_url: str) -> None:
    """No more than `pool_size` connections, and everybody is served."""
    async with open_database(settings_for(database_url, pool_size=2)) as database:
        backends: list[int] = []

        async def ask() -> None:
            backends.append(await database.fetch_value(BACKEND))

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(ask)
        assert len(backends) == 50
        assert len(set(backends)) <= 2


async def test_waiting_for_a_session_has_a_limit(database_url: str) -> None:
    """A pool that stays busy is `Unavailable`, and its statistics show who waits."""
    settings = settings_for(database_url, pool_size=1, acquire_timeout=Duration(milliseconds=50))
    async with open_database(settings) as database, trio.open_nursery() as nursery:
        async with database.connection():
            nursery.start_soon(raises_unavailable, database)
            await trio.testing.wait_all_tasks_blocked()
            assert database.statistics() == Statistics(limit=1, idle=0, busy=1, waiting=1)
            with pytest.raises(Unavailable, match="busy"):
                await ping(database)
        nursery.cancel_scope.cancel()


async def raises_unavailable(database: Database) -> None:
    """Somebody else who waits in vain."""
    with pytest.raises(Unavailable):
        await ping(database)


async def test_a_task_that_gives_up_waiting_takes_no_session_along(database_url: str) -> None:
    """Cancelled in the queue: the next in line is served."""
    async with open_database(settings_for(database_url, pool_size=1)) as database:
        async with database.connection():
            with trio.move_on_after(0.01):
                await ping(database)
        await ping(database)
        await all_idle(database)
        assert database.statistics() == Statistics(limit=1, idle=1, busy=0, waiting=0)


async def test_a_cancelled_fetch_lets_go_at_once_and_the_session_is_mended(database: Database) -> None:
    """In the middle of a statement: the server is told to stop, and the same connection works again."""
    async with trio.open_nursery() as nursery:
        before = await database.fetch_value(BACKEND)
        nursery.start_soon(database.fetch, SLEEP)
        await until_running(database, "%pg_sleep%")
        nursery.cancel_scope.cancel()
    await all_idle(database)
    backends = {await database.fetch_value(BACKEND) for _ in range(3)}
    assert database.statistics().idle == 2
    assert (
        await database.fetch_value(
            inline(
                "select count(*) from pg_stat_activity where query like '%pg_sleep%' "
                "and state = 'active' and pid <> pg_backend_pid()"
            )
        )
        == 0
    )
    assert before in backends or len(backends) == 1


async def test_a_cancelled_copy_leaves_no_rows(database: Database) -> None:
    """While the server waits for a lock in the middle of it. In a transaction that is certain, whoever is faster."""
    await database.execute(MAKE)

    async def copy() -> None:
        async with database.transaction() as transaction:
            await transaction.copy_in("cats", ("id",), [(n,) for n in range(1000)])

    async with database.transaction() as holder:
        await holder.execute(inline("lock table cats in share mode"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(copy)
            await until_running(database, "COPY%")
            nursery.cancel_scope.cancel()
    await all_idle(database)
    assert await database.fetch_value(COUNT) == 0


async def test_a_copy_that_is_cancelled_while_it_sends_leaves_no_rows(database: Database) -> None:
    """Between two of its rows, with megabytes already under way."""
    await database.execute(MAKE)
    with trio.CancelScope() as scope:

        def rows() -> Iterator[tuple[int]]:
            for number in range(100_000_000):
                if number == 500_000:
                    scope.cancel()
                yield (number,)

        await database.copy_in("cats", ("id",), rows())
    assert scope.cancelled_caught
    await all_idle(database)
    assert await database.fetch_value(COUNT) == 0


async def test_a_copy_whose_rows_raise_leaves_no_rows(database: Database) -> None:
    """The error of the iterable reaches the caller as it is."""
    await database.execute(MAKE)

    def rows() -> Iterator[tuple[int]]:
        yield (1,)
        raise LookupError("no more cats")

    with pytest.raises(LookupError, match="no more cats"):
        await database.copy_in("cats", ("id",), rows())
    assert await database.fetch_value(COUNT) == 0


async def test_what_a_lent_session_was_told_does_not_outlive_the_block(database_url: str) -> None:
    """Settings, locks and open transactions are gone before anybody else gets it."""
    async with open_database(settings_for(database_url, pool_size=1)) as database:
        async with database.connection() as connection:
            await connection.execute(inline("set application_name = 'cat'"))
            await connection.fetch(inline("select pg_advisory_lock(1)"))
            await connection.execute(inline("begin"))
            await connection.execute(inline("create table cats (id int)"))
        assert await database.fetch_value(inline("show application_name")) == "pulsekeeper"
        assert await database.fetch_value(inline("select count(*) from pg_locks where locktype = 'advisory'")) == 0
        assert await database.fetch_value(inline("select to_regclass('cats')")) is None


async def test_hammering_and_cancelling_loses_no_session(database_url: str) -> None:
    """Hundreds of statements, cancelled at any moment of theirs, and the pool is whole."""
    async with open_database(settings_for(database_url, pool_size=3)) as database:

        async def impatient(patience: float) -> None:
            with trio.move_on_after(patience):
                await database.fetch(inline("select pg_sleep(0.002)"))

        async with trio.open_nursery() as nursery:
            for number in range(300):
                nursery.start_soon(impatient, number % 20 / 1000)
        await all_idle(database)
        statistics = database.statistics()
        assert (statistics.busy, statistics.waiting) == (0, 0)
        assert statistics.idle <= 3
        await ping(database)


async def test_a_session_that_was_idle_for_long_is_replaced(database_url: str) -> None:
    """A firewall may have forgotten it."""
    async with open_database(settings_for(database_url, idle_timeout=Duration(0))) as database:
        first = await database.fetch_value(BACKEND)
        await trio.sleep(0.001)
        assert await database.fetch_value(BACKEND) != first
