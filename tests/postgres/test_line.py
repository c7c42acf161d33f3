"""The straight way of a statement past asyncio: it does what the way over the loop did, whatever happens on it."""

import time
from asyncio import Future
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from importlib.metadata import version
from inspect import signature
from urllib.parse import parse_qs, urlsplit

import asyncpg  # type: ignore[import-untyped]  # ships no types
import pytest
import trio
from asyncpg.protocol import Protocol  # type: ignore[import-untyped]  # ships no types

from pulsekeeper.errors import Unavailable
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.driver import open_bridge
from pulsekeeper.postgres.line import Line, Reply
from pulsekeeper.postgres.queries import inline
from pulsekeeper.postgres.session import Session
from tests.postgres.fronts import tcp_front
from tests.support.postgres import ServerProcess, ping, settings_for
from tests.support.waiting import all_idle, eventually, until_running

# the subject is what goes on inside

BACKEND = inline("select pg_backend_pid()")
PATIENCE = 30.0


@asynccontextmanager
async def open_session(url: str) -> AsyncIterator[Session]:
    """A session of its own, dropped at the end."""
    async with open_bridge() as bridge:
        session = await bridge.connect(url, PATIENCE, PATIENCE)
        try:
            yield session
        finally:
            session.terminate()


def reads_on_loop(session: Session) -> bool:
    """Whether asyncio has an eye on the connection."""
    return bool(session._raw._transport.is_reading())


async def lost(session: Session) -> None:
    """Returns when the server has hung up."""

    async def fact() -> bool:
        return not session.look()

    await eventually(fact)


def test_asyncpg_is_what_it_was() -> None:
    """All that `line.py` relies on and nobody promises. A new minor version needs a look at each of these, in C too:

    the protocol makes its futures by the loop's `create_future`, has at most one, calls no more of it than `Reply` has,
    and writes by `transport.write`; a connection that fails ends its future before the socket is closed.
    """
    assert version("asyncpg").startswith("0.32.")
    assert {"_loop", "_transport", "_protocol"} <= set(asyncpg.Connection.__slots__)
    assert "loop" in signature(asyncpg.connect).parameters
    for method in ("data_received", "connection_lost", "is_connected", "_is_cancelling"):
        assert callable(getattr(Protocol, method))


async def test_a_statement_goes_straight(database_url: str) -> None:
    """From the first on, prepared or not, with and without arguments: nothing of it runs on the loop."""
    async with open_session(database_url) as session:
        session._cross = None  # type: ignore[method-assign, assignment]  # whatever crosses fails
        assert await session.fetch("select $1::int", [1]) == [(1,)]
        assert await session.fetch("select $1::int", [2]) == [(2,)]
        assert await session.execute("create table cats (id int); insert into cats values (1), (2)") == "INSERT 0 2"
        assert await session.execute("update cats set id = $1", [3]) == "UPDATE 2"
        await session.prepare("select * from cats")
        with pytest.raises(asyncpg.UndefinedTableError):
            await session.fetch("select * from dogs")
        assert not reads_on_loop(session)


async def test_bridge_is_not_looked_for_in_the_context(database_url: str) -> None:
    """A task that knows nothing of the loop asks, and is cancelled, like any other."""
    async with open_session(database_url) as session, trio.open_nursery() as nursery:

        async def ask() -> None:
            assert await session.fetch("select 1") == [(1,)]
            with trio.move_on_after(0.05):
                await session.fetch("select pg_sleep(60)")
            await session.mend()

        Context().run(nursery.start_soon, ask)


async def test_a_cancelled_statement_is_stopped_and_the_session_goes_straight_again(
    database: Database, database_url: str
) -> None:
    """It lets go at once. What is asked next waits on the loop until the server has stopped; then all is as before."""
    async with open_session(database_url) as session:
        for _ in range(3):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.fetch, "select pg_sleep(60)")
                await until_running(database, "%pg_sleep%")
                began = time.monotonic()
                nursery.cancel_scope.cancel()
            assert time.monotonic() - began < 0.05
            assert reads_on_loop(session)
            await session.mend()
            assert await session.fetch("select 1") == [(1,)]
            assert not reads_on_loop(session)
            assert not session._raw._cancellations


async def test_what_is_cancelled_already_is_not_asked(database_url: str) -> None:
    """Nothing has to be stopped then."""
    async with open_session(database_url) as session:
        await session.execute("create table cats (id int)")
        with trio.CancelScope() as scope:
            scope.cancel()
            await session.execute("insert into cats values (1)")
        assert scope.cancelled_caught
        assert not session._raw._protocol._is_cancelling()
        assert await session.fetch("select * from cats") == []


@pytest.mark.parametrize("after", range(0, 3000, 300))
async def test_a_cancellation_at_any_moment_leaves_a_session_that_can_be_mended(database_url: str, after: int) -> None:
    """Also while the statement is being prepared, which is a reply of its own."""
    async with open_session(database_url) as session:
        for number in range(5):
            with trio.move_on_after((after + number * 50) / 1e6):
                await session.fetch(f"select {2000 + number} as n")
            await session.mend()
            assert await session.fetch("select 1") == [(1,)]


async def test_much_goes_both_ways_at_once(database_url: str) -> None:
    """Far beyond what the kernel buffers; the loop goes on sending while the statement's task reads."""
    much = b"cat" * 10_000_000
    async with open_session(database_url) as session:
        assert await session.fetch("select $1::bytea", [much]) == [(much,)]
        rows = await session.fetch("select repeat('x', 1000) from generate_series(1, 20000)")
        assert len(rows) == 20_000
        with trio.move_on_after(0.01):
            await session.fetch("select $1::bytea", [much])
        await session.mend()
        assert await session.fetch("select 1") == [(1,)]
        assert not reads_on_loop(session)


async def test_what_the_server_says_in_between_is_taken_in(database: Database, database_url: str) -> None:
    """A notice that nobody waits for, and a setting that changes: the session lives on, and replies are their own."""
    async with open_session(database_url) as session:
        await session.execute("listen cats")
        await database.notify("cats", "x" * 7000)
        assert await session.fetch("select 1") == [(1,)]
        await database.notify("cats", "y")
        assert session.look()
        await session.execute("set timezone = 'Asia/Tokyo'")
        assert session._raw.get_settings().TimeZone == "Asia/Tokyo"
        await session.execute("do $$ begin raise notice 'meow'; end $$")


async def test_an_idle_session_that_was_ended_is_not_handed_out(database_url: str) -> None:
    """Nobody reads while a session is idle; the look when it is taken finds out, and its user notices nothing."""
    async with open_database(settings_for(database_url)) as database:
        first = await database.fetch_value(BACKEND)
        async with open_session(database_url) as other:
            await other.fetch("select pg_terminate_backend($1)", [first])
            session = database._pool._idle[-1]
            await lost(session)
            assert session.is_closed
            await session.ended.wait()
        assert await database.fetch_value(BACKEND) != first
        assert database.statistics().idle == 1


async def test_an_ended_session_is_known_in_the_middle_of_a_statement(database: Database, database_url: str) -> None:
    """At once, as an outage that says why."""
    async with open_session(database_url) as session:
        [(pid,)] = await session.fetch("select pg_backend_pid()")
        async with trio.open_nursery() as nursery:

            async def sleeper() -> None:
                with trio.fail_after(5), pytest.raises(Unavailable, match="lost") as gone:
                    await session.fetch("select pg_sleep(60)")
                assert "administrator" in str(gone.value.__cause__)

            nursery.start_soon(sleeper)
            await until_running(database, "%pg_sleep%")
            await database.fetch(inline("select pg_terminate_backend(:pid)"), pid=pid)
        assert session.is_closed


async def test_a_connection_that_is_dropped_here_ends_the_wait(database: Database, database_url: str) -> None:
    """Nothing comes from a socket that was closed on this side: the task is woken, and told."""
    async with open_session(database_url) as session, trio.open_nursery() as nursery:

        async def sleeper() -> None:
            with trio.fail_after(5), pytest.raises(Unavailable, match="lost"):
                await session.fetch("select pg_sleep(60)")

        nursery.start_soon(sleeper)
        await until_running(database, "%pg_sleep%")
        session.terminate()
    assert session.is_closed
    with pytest.raises(Unavailable, match="gone"):
        await session.fetch("select 1")


async def test_a_killed_server_is_known_by_a_look(fragile_server: ServerProcess) -> None:
    """There is no farewell, only the end of the stream."""
    async with open_session(fragile_server.url) as session:
        assert await session.fetch("select 1") == [(1,)]
        assert session.look()
        fragile_server.kill()
        await lost(session)


@pytest.mark.parametrize("crossing", [Session.close, Session.mend])
async def test_what_follows_a_statement_finds_the_loop(
    database_url: str, crossing: Callable[[Session], Awaitable[None]]
) -> None:
    """Also right behind it."""
    async with open_session(database_url) as session:
        await session.fetch("select 1")
        with trio.fail_after(5):
            await crossing(session)


async def test_copy_and_statements_take_turns(database_url: str) -> None:
    """One crosses, the other does not, as often as one likes."""
    async with open_session(database_url) as session:
        await session.execute("create table cats (id int)")
        for number in range(1, 6):
            assert await session.copy_in("cats", ("id",), [(n,) for n in range(1000)]) == 1000
            assert await session.fetch("select count(*) from cats") == [(number * 1000,)]
            assert not reads_on_loop(session)


async def test_a_session_that_listens_hears_between_statements(database: Database, database_url: str) -> None:
    """It stays on the loop, whatever it is asked."""
    heard: list[str] = []
    async with open_session(database_url) as session:
        await session.fetch("select 1")
        await session.listen(["cats"], lambda _, payload: heard.append(payload))
        await session.execute("select")
        assert reads_on_loop(session)
        await database.notify("cats", "meow")

        async def fact() -> bool:
            return heard == ["meow"]

        await eventually(fact)


@pytest.mark.parametrize("encrypted", [True, False])
async def test_only_an_encrypted_connection_stays_on_the_loop(postgres_server: ServerProcess, encrypted: bool) -> None:
    """What comes from its socket is not what the server said. Everything works there, in the old way."""
    [folder] = parse_qs(urlsplit(postgres_server.admin_url).query)["host"]
    async with (
        tcp_front(f"{folder}/.s.PGSQL.5432", encrypted=encrypted) as url,
        open_database(settings_for(url)) as database,
    ):
        await ping(database)
        [session] = database._pool._idle
        assert (session._raw._transport.get_extra_info("ssl_object") is not None) == encrypted
        assert reads_on_loop(session) == encrypted
        with trio.move_on_after(0.05) as scope:
            await database.fetch(inline("select pg_sleep(60)"))
        assert scope.cancelled_caught
        await all_idle(database)
        assert await database.fetch_value(inline("select :n::int"), n=1) == 1
        assert reads_on_loop(session) == encrypted
        async with database.listen("cats") as notices:
            await notices.receive()
            await database.notify("cats", "meow")
            with trio.fail_after(5):
                await notices.receive()
        [(pid,)] = await session.fetch("select pg_backend_pid()")
        async with open_session(postgres_server.admin_url) as other:
            await other.fetch("select pg_terminate_backend($1)", [pid])
            await lost(session)
        await ping(database)


def test_a_reply_is_given_up_once() -> None:
    """asyncpg is told of a cancellation, and of nothing else."""
    told: list[Reply] = []
    line = Line(None)  # type: ignore[arg-type]  # no future of the loop is asked for
    reply, other = Reply(line), Reply(line)
    for each in (reply, other):
        each.add_done_callback(told.append)
    reply.cancel()
    reply.cancel()
    other.set_result(1)
    other.cancel()
    assert told == [reply]
    assert [(each.done(), each.cancelled()) for each in (reply, other)] == [(True, True), (True, False)]


async def test_the_loop_makes_the_futures_of_what_crosses(database_url: str) -> None:
    """Only those of a statement on its way are ours."""
    async with open_session(database_url) as session:
        assert isinstance(session._line.create_future(), Future)
        await session.fetch("select 1")
        assert isinstance(session._line.create_future(), Reply)
