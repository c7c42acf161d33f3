"""Outages: the database is away, goes away, or says nothing; and comes back."""

# ruff: noqa: PT012  # what raises is often the end of a block

import time
from contextlib import AsyncExitStack

import pytest
import trio

from pulsekeeper.errors import Invalid, Unavailable
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.scalars import Duration
from tests.support.postgres import ServerProcess, database_of, ping, private_server, settings_for
from tests.support.waiting import eventually, until_running

INSERT = inline("insert into cats values (:id)")
COUNT = inline("select count(*) from cats")
NOWHERE = "postgresql://cat:geheim@127.0.0.1:1/cats"


async def answers(database: Database) -> bool:
    """Whether a ping comes back."""
    try:
        await ping(database)
    except Unavailable:
        return False
    return True


async def test_a_database_that_is_away_is_unavailable(caplog: pytest.LogCaptureFixture) -> None:
    """At once, as often as one asks, and without a word about where it is or the password."""
    async with open_database(settings_for(NOWHERE)) as database:
        for _ in range(3):
            with pytest.raises(Unavailable) as away:
                await ping(database)
            assert away.value.retryable
            assert "geheim" not in str(away.value)
    assert "geheim" not in caplog.text


@pytest.mark.parametrize("url", ["postgresql://cat:ge/heim@host:x/cats", "mysql://cat:geheim@host/cats", "nonsense"])
async def test_a_url_that_makes_no_sense_is_invalid(url: str) -> None:
    """The sentence helps, and repeats nothing of it."""
    async with open_database(settings_for(url)) as database:
        with pytest.raises(Invalid, match="percent-encoded") as wrong:
            await ping(database)
    assert "heim" not in str(wrong.value)
    assert wrong.value.__cause__ is None


async def test_a_database_that_does_not_exist_is_unavailable(fragile_server: ServerProcess) -> None:
    """Somebody may create it; the process stays up."""
    async with open_database(settings_for(database_of(fragile_server.admin_url, "cats"))) as database:
        with pytest.raises(Unavailable, match="no such database"):
            await ping(database)
        async with open_database(settings_for(fragile_server.admin_url)) as other:
            await other.execute(inline("create database cats"))
        await ping(database)


async def test_a_database_that_comes_later_works(fragile_server: ServerProcess) -> None:
    """Absent at the start: nothing has to be opened again."""
    fragile_server.stop()
    async with open_database(settings_for(fragile_server.url)) as database:
        assert not await answers(database)
        fragile_server.start()
        await ping(database)


async def test_a_killed_server_costs_unavailable_only_and_heals_by_itself(fragile_server: ServerProcess) -> None:
    """`kill -9` in the middle of work, twice: no other error, and no confirmed row is lost."""
    async with open_database(settings_for(fragile_server.url, pool_size=4)) as database:
        await database.execute(inline("create table cats (id int primary key)"))
        confirmed: set[int] = set()
        stop = trio.Event()

        async def work(first: int) -> None:
            number = first
            while not stop.is_set():
                try:
                    async with database.transaction() as transaction:
                        await transaction.execute(INSERT, id=number)
                    confirmed.add(number)
                except Unavailable:
                    await trio.sleep(0.01)
                number += 8

        async def confirmed_more_than(count: int) -> None:
            async def fact() -> bool:
                return len(confirmed) > count

            await eventually(fact)

        async with trio.open_nursery() as nursery:
            for first in range(8):
                nursery.start_soon(work, first)
            for _ in range(2):
                await confirmed_more_than(len(confirmed) + 50)
                await trio.to_thread.run_sync(fragile_server.kill)
                await trio.sleep(0.05)
                await trio.to_thread.run_sync(fragile_server.start)
            await confirmed_more_than(len(confirmed) + 50)
            stop.set()
        stored = {row.id for row in await database.fetch(inline("select id from cats"))}
        assert confirmed <= stored


async def test_after_a_restart_each_connection_fails_at_most_once(fragile_server: ServerProcess) -> None:
    """Those that were idle are found to be dead, and never handed out again."""
    async with open_database(settings_for(fragile_server.url, pool_size=3)) as database:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(database.fetch, inline("select pg_sleep(0.05)"))
        assert database.statistics().idle == 3
        fragile_server.kill()
        fragile_server.start()
        failures = [await answers(database) for _ in range(6)].count(False)
        assert failures <= 3
        assert await answers(database)


async def test_a_statement_in_flight_learns_of_the_kill_at_once(fragile_server: ServerProcess) -> None:
    """It does not wait for its own limit."""
    async with open_database(settings_for(fragile_server.url)) as database, trio.open_nursery() as nursery:

        async def sleeper() -> None:
            with pytest.raises(Unavailable):
                await database.fetch(inline("select pg_sleep(60)"))

        nursery.start_soon(sleeper)
        await until_running(database, "%pg_sleep%")
        await trio.to_thread.run_sync(fragile_server.kill)
        nursery.cancel_scope.deadline = trio.current_time() + 5
    assert not nursery.cancel_scope.cancelled_caught


async def test_a_frozen_server_holds_nobody_beyond_the_callers_deadline(fragile_server: ServerProcess) -> None:
    """Statement, transaction and connecting alike: the caller's own scope is the limit."""
    async with open_database(settings_for(fragile_server.url)) as database:
        await ping(database)
        fragile_server.pause()
        began = time.monotonic()
        for _ in range(3):
            with trio.move_on_after(0.05) as scope:
                async with database.transaction():
                    pass
            assert scope.cancelled_caught
        assert time.monotonic() - began < 1
        fragile_server.resume()
        await ping(database)


async def test_a_frozen_server_holds_a_commit_no_longer_than_its_limit(fragile_server: ServerProcess) -> None:
    """The shield has an end; the caller learns that nobody knows."""
    settings = settings_for(fragile_server.url, exit_timeout=Duration(milliseconds=200))
    async with open_database(settings) as database:
        await database.execute(inline("create table cats (id int)"))
        began = time.monotonic()
        with trio.CancelScope() as scope, pytest.raises(Unavailable, match="did not confirm"):
            async with database.transaction() as transaction:
                await transaction.execute(INSERT, id=1)
                fragile_server.pause()
                scope.cancel()
        assert 0.2 <= time.monotonic() - began < 2
        fragile_server.resume()
        assert await database.fetch_value(COUNT) in {0, 1}


async def test_a_frozen_server_holds_a_rollback_no_longer_than_its_limit(fragile_server: ServerProcess) -> None:
    """On a connection that goes on afterwards, where the rollback is waited for."""
    settings = settings_for(fragile_server.url, exit_timeout=Duration(milliseconds=200))
    async with open_database(settings) as database:
        began = time.monotonic()
        with pytest.raises(LookupError):
            async with database.connection() as connection, connection.transaction():
                fragile_server.pause()
                raise LookupError
        assert 0.2 <= time.monotonic() - began < 2
        fragile_server.resume()
        await ping(database)


async def test_a_frozen_server_does_not_keep_the_database_from_closing(fragile_server: ServerProcess) -> None:
    """Goodbyes are polite, but not for long."""
    began = time.monotonic()
    async with open_database(settings_for(fragile_server.url)) as database:
        await ping(database)
        async with database.listen("cats") as notices:
            await notices.receive()
            fragile_server.pause()
        with trio.move_on_after(0.05):
            await database.fetch(inline("select 1"))
    assert time.monotonic() - began < 5


async def test_too_many_clients_are_an_outage() -> None:
    """The server's own limit, reached by others."""
    few = {"max_connections": "4", "superuser_reserved_connections": "0", "max_wal_senders": "0"}
    with private_server(**few) as server:
        async with open_database(settings_for(server.url)) as database, AsyncExitStack() as held:
            for _ in range(4):
                await held.enter_async_context(database.transaction())
            with pytest.raises(Unavailable, match="out of room"):
                await ping(database)


async def test_an_error_leaves_the_block_as_it_is(database_url: str) -> None:
    """The nurseries inside are nobody's business."""
    with pytest.raises(LookupError):
        async with open_database(settings_for(database_url)) as database:
            await ping(database)
            raise LookupError


async def test_a_cancellation_leaves_the_block_as_it_is(database_url: str) -> None:
    """The scope that was cancelled catches it."""
    with trio.move_on_after(0.05) as scope:
        async with open_database(settings_for(database_url)) as database:
            await database.fetch(inline("select pg_sleep(60)"))
    assert scope.cancelled_caught
