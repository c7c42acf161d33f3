"""The actor on a real database, and what it mends when others have erased something."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import trio

from pulsekeeper.actors.child import ChildSpec
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.actors.supervisor import Supervisor
from pulsekeeper.actors.tree import open_tree
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.usage.accountant import Account, Accountant
from pulsekeeper.sessions.usage.bookkeeping import bring_up_to_date
from pulsekeeper.sessions.usage.rebuilding import rebuild
from pulsekeeper.sessions.usage.rollup_store import open_rollup_store
from pulsekeeper.sessions.usage.rollups import WorkedOut
from pulsekeeper.sessions.usage.stories import StoryTime
from tests.support.sessions_histories import SETTINGS, live, play_all, utc, uuid

NOW = utc("2026-11-22 12:00")
START = NOW - timedelta(hours=3)
EVENTS = inline("select coalesce(sum(events), 0)::bigint from event_rollups")
PEAKS = inline("select quarter, peak from presence_rollups order by quarter")
FIRST = inline("select first_active_at from installations where id = :id")


@asynccontextmanager
async def accounting(database: Database) -> AsyncIterator[Mailbox[Account]]:
    ready = trio.Event()
    ready.set()
    mailbox: Mailbox[Account] = Mailbox("accountant", 10)
    supervisor = Supervisor(
        [
            ChildSpec(
                name="accountant", start=lambda: Accountant(database, SETTINGS, lambda: NOW, ready), mailbox=mailbox
            )
        ]
    )
    async with open_tree(supervisor) as started:
        await started.wait()
        yield mailbox
        assert supervisor.statuses()[0].restarts == 0


async def first_active(database: Database, installation: int = 501) -> datetime | None:
    at: datetime | None = await database.fetch_value(FIRST, id=uuid(installation))
    return at


async def test_when_it_is_asked_it_answers_when_everything_is_written(database: Database) -> None:
    await play_all(database, live(1, START, 10, 40))

    async with accounting(database) as accountant:
        done = await accountant.ref.ask(Account())

    assert done.is_done
    assert await database.fetch_value(EVENTS) == 2
    assert await first_active(database) == START


async def test_two_short_sessions_make_nobody_active_and_thirty_seconds_do(database: Database) -> None:
    minute = timedelta(minutes=1)
    await play_all(database, [*live(1, START, 20), *live(2, START + minute, 29.999999)])
    await bring_up_to_date(database, SETTINGS, NOW)
    assert await first_active(database) is None

    await play_all(database, live(3, START + 2 * minute, 30))
    await bring_up_to_date(database, SETTINGS, NOW)
    assert await first_active(database) == START + 2 * minute


async def test_events_that_only_repeat_the_handshake_make_nobody_active(database: Database) -> None:
    await play_all(database, live(1, START, 60, name="still_alive"))
    await bring_up_to_date(database, SETTINGS, NOW)

    assert await first_active(database) is None


async def test_only_one_node_is_at_it_at_a_time(database: Database) -> None:
    async with open_rollup_store(database, SETTINGS) as store:
        assert await store.take_turn()
        assert await bring_up_to_date(database, SETTINGS, NOW) is None
        await store.end_turn()

    assert await bring_up_to_date(database, SETTINGS, NOW) is not None


async def test_doing_it_twice_counts_nothing_twice(database: Database) -> None:
    await play_all(database, live(1, START, 10, 40))
    for _ in range(2):
        await bring_up_to_date(database, SETTINGS, NOW)
        await database.execute(inline("update sessions set stale_since = :now, changes = changes + 1"), now=NOW)

    assert await database.fetch_value(EVENTS) == 2


async def test_what_has_changed_since_it_was_read_is_not_written(database: Database) -> None:
    await play_all(database, live(1, START, 10, 40))

    async with open_rollup_store(database, SETTINGS) as store:
        read = await store.stale_sessions(NOW)
        await database.execute(inline("update sessions set changes = changes + 1"))
        assert await store.account([WorkedOut(each, StoryTime(0.0, 0)) for each in read]) == 0

    assert await database.fetch_value(EVENTS) == 0


async def test_presence_that_was_deleted_is_worked_out_again(database: Database) -> None:
    await play_all(database, [*live(1, START, 300, 850, 1000), *live(2, START + timedelta(minutes=4), 300)])
    await bring_up_to_date(database, SETTINGS, NOW)
    peaks = await database.fetch(PEAKS)
    assert [row["peak"] for row in peaks[:3]] == [2, 1, 0]

    await database.execute(
        inline("delete from presence_rollups where quarter < :until"), until=NOW - timedelta(hours=2)
    )
    await bring_up_to_date(database, SETTINGS, NOW)

    assert await database.fetch(PEAKS) == peaks


async def test_a_name_that_is_no_text_for_the_database_harms_nothing(database: Database) -> None:
    await play_all(database, live(1, START, 10, 40, name="story_opened"))
    await database.execute(inline("""update events set props = '{"story": "a\\u0000b"}' where seq is null"""))
    await bring_up_to_date(database, SETTINGS, NOW)

    assert await database.fetch_value(EVENTS) == 2


async def test_a_rebuild_tells_how_far_it_is(database: Database) -> None:
    await play_all(database, [*live(1, START, 10, 40), *live(2, START, 60)])
    told: list[tuple[int, int]] = []

    async def progress(done: int, total: int) -> None:
        told.append((done, total))

    rebuilt = await rebuild(database, SETTINGS, START, NOW, progress)

    assert (told[0], told[-1], rebuilt.sessions) == ((0, 2), (2, 2), 2)
    assert await database.fetch_value(EVENTS) == 3


async def test_what_is_past_the_retention_of_raw_events_is_not_taken_out(database: Database) -> None:
    old = NOW - SETTINGS.retention
    await database.execute(inline("insert into event_rollups values (:at, 'a', '', 3)"), at=old)

    async def progress(done: int, total: int) -> None:
        assert done == total == 0

    rebuilt = await rebuild(database, SETTINGS, old, NOW, progress)

    assert rebuilt.since > old
    assert await database.fetch_value(EVENTS) == 3
