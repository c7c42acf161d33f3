"""A stream of notices that outlives its connection, and says what it cannot know."""

from collections.abc import MutableMapping, Sequence
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs

from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.notices import MaybeMissed, Notice
from pulsekeeper.postgres.queries import inline
from pulsekeeper.scalars import Duration
from tests.support.postgres import ServerProcess, settings_for
from tests.support.waiting import eventually

LISTENERS = "from pg_stat_activity where datname = current_database() and query like 'LISTEN%'"
COUNT = inline(f"select count(*) {LISTENERS}")
TERMINATE = inline(f"select pg_terminate_backend(pid) {LISTENERS}")


async def until_interrupted(log: Sequence[MutableMapping[str, Any]]) -> None:
    """Returns when a listener has noticed that it hears nothing any more."""

    async def noticed() -> bool:
        return any(entry["event"] == "listening_interrupted" for entry in log)

    await eventually(noticed)


async def test_what_is_sent_is_heard_in_order(database: Database) -> None:
    """On any of the channels, from the moment that `MaybeMissed` was said."""
    async with database.listen("cats", "Dogs & co") as notices:
        assert await notices.receive() == MaybeMissed()
        await database.notify("cats", "1")
        await database.notify("Dogs & co", "2")
        await database.notify("birds", "3")
        await database.notify("cats")
        heard = [await notices.receive() for _ in range(3)]
    assert heard == [Notice("cats", "1"), Notice("Dogs & co", "2"), Notice("cats", "")]


async def test_a_lost_connection_is_replaced_and_admitted(database: Database) -> None:
    """After `pg_terminate_backend`: MaybeMissed again, and then everything."""
    async with database.listen("cats") as notices:
        assert await notices.receive() == MaybeMissed()
        await database.fetch(TERMINATE)
        with trio.fail_after(10):
            assert await notices.receive() == MaybeMissed()
        await database.notify("cats", "here")
        assert await notices.receive() == Notice("cats", "here")


async def test_a_restart_of_the_server_is_waited_out(fragile_server: ServerProcess) -> None:
    """However long it takes; the stream itself never fails."""
    async with open_database(settings_for(fragile_server.url)) as database, database.listen("cats") as notices:
        assert await notices.receive() == MaybeMissed()
        with capture_logs() as log:
            fragile_server.kill()
            await until_interrupted(log)
        assert notices.statistics().current_buffer_used == 0
        fragile_server.start()
        with trio.fail_after(10):
            assert await notices.receive() == MaybeMissed()
        await database.notify("cats", "here")
        assert await notices.receive() == Notice("cats", "here")


async def test_listening_may_begin_before_the_server(fragile_server: ServerProcess) -> None:
    """The first MaybeMissed comes when it is there."""
    fragile_server.stop()
    async with open_database(settings_for(fragile_server.url)) as database, database.listen("cats") as notices:
        fragile_server.start()
        with trio.fail_after(10):
            assert await notices.receive() == MaybeMissed()


async def test_a_half_dead_connection_is_noticed(fragile_server: ServerProcess) -> None:
    """A frozen server says nothing and closes nothing; the regular check finds out."""
    settings = settings_for(fragile_server.url, listen_check=Duration(milliseconds=50))
    async with open_database(settings) as database, database.listen("cats") as notices:
        assert await notices.receive() == MaybeMissed()
        with capture_logs() as log:
            fragile_server.pause()
            await until_interrupted(log)
        fragile_server.resume()
        with trio.fail_after(10):
            assert await notices.receive() == MaybeMissed()


async def test_a_slow_reader_is_told_that_it_missed_something(database: Database) -> None:
    """The buffer is bounded: what does not fit is dropped, and the reader knows."""
    async with database.listen("cats") as notices:
        assert await notices.receive() == MaybeMissed()
        await database.fetch(inline("select pg_notify('cats', n::text) from generate_series(1, 3000) n"))
        await database.notify("cats", "last")

        async def all_arrived() -> bool:
            return notices.statistics().current_buffer_used == 953

        await eventually(all_arrived)
        heard = [notices.receive_nowait() for _ in range(953)]
    assert heard[0] == MaybeMissed()
    assert heard[1:] == [*(Notice("cats", str(n)) for n in range(2050, 3001)), Notice("cats", "last")]


async def test_leaving_the_block_ends_the_connection(database: Database) -> None:
    """Nothing keeps listening for nobody."""
    async with database.listen("cats") as notices:
        await notices.receive()
        assert await database.fetch_value(COUNT) == 1

    async def gone() -> bool:
        return bool(await database.fetch_value(COUNT) == 0)

    await eventually(gone)


async def test_an_error_in_the_block_passes_through_as_it_is(database: Database) -> None:
    """No group around it, although tasks run behind the scenes."""
    with pytest.raises(LookupError):
        async with database.listen("cats"):
            raise LookupError


async def test_a_name_that_the_server_would_cut_is_refused(database: Database) -> None:
    """It would listen on another channel than it says."""
    with pytest.raises(ValueError, match="63 bytes"):
        async with database.listen("é" * 32):
            pass
