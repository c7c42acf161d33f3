"""What happens to roll-ups when others are at the same rows, and when the database or the actor goes in the middle.

When everything is quiet again, what is rolled up is what raw events say, without a row of nothing or of less.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import pytest
import trio
from msgspec.structs import replace

from pulsekeeper import errors
from pulsekeeper.actors.child import ChildSpec
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.actors.supervisor import Supervisor
from pulsekeeper.actors.tree import open_tree
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.migrator import migrate
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.records import Claims
from pulsekeeper.sessions.store import SessionStore
from pulsekeeper.sessions.upkeep.maintenance import maintain
from pulsekeeper.sessions.usage.accountant import Account, Accountant
from pulsekeeper.sessions.usage.bookkeeping import bring_up_to_date
from pulsekeeper.sessions.usage.rebuilding import rebuild
from pulsekeeper.sessions.usage.rollup_store import RollupStore, open_rollup_store
from pulsekeeper.sessions.usage.rollups import Accounted, StaleSession, WorkedOut, in_portions, work_out
from pulsekeeper.sessions.usage.stories import StoryTime
from tests.support.postgres import ServerProcess, settings_for
from tests.support.sessions import event, say, start
from tests.support.sessions_figures import account_for_all, counted, counted_from_raw
from tests.support.sessions_histories import SETTINGS, live, play_all, utc, uuid
from tests.support.waiting import until_running

NOW = utc("2026-11-22 12:00")
START = NOW - timedelta(hours=3)
MINUTE = timedelta(minutes=1)
MARK = inline("update sessions set stale_since = :now, changes = changes + 1")
STALE = inline("select count(*) from sessions where stale_since is not null")
WRITING = "with given as%story_seconds%"
KEPT = inline("select count(*) from session_rollups")
PEAKS = inline("select quarter, peak from presence_rollups where peak > 0 order by quarter")


@pytest.fixture
def store(database: Database) -> SessionStore:
    return SessionStore(database, SETTINGS)


async def two_lives(store: SessionStore) -> tuple[Claims, Claims]:
    """Of two installations that did the same at the same time, so that they share rows of the roll-up."""
    return await busy(store), await busy(store)


async def busy(store: SessionStore) -> Claims:
    claims = await start(store, START)
    await say(store, claims, START + MINUTE, event(START, seq=1), event(START + MINUTE, "story_closed", seq=2))
    return claims


async def read(rollups: RollupStore) -> list[WorkedOut]:
    return work_out(await rollups.stale_sessions(NOW))


async def is_as_rebuilt(database: Database) -> None:
    """Roll-ups, when the accountant has been there once more, are what raw says, and what a rebuild makes."""
    await account_for_all(database, NOW)
    rows, peaks = await counted(database), await database.fetch(PEAKS)
    assert rows == await counted_from_raw(database)
    await rebuild(database, SETTINGS, NOW - timedelta(days=30), NOW, _unheard)
    assert (await counted(database), await database.fetch(PEAKS)) == (rows, peaks)


async def _unheard(done: int, total: int) -> None:
    assert 0 <= done <= total


async def test_two_who_have_read_the_same_sessions_count_them_once(database: Database, store: SessionStore) -> None:
    """Nothing keeps them apart here but the condition in the write."""
    await two_lives(store)
    written: list[int] = []

    async def write(rollups: RollupStore, worked_out: list[WorkedOut]) -> None:
        written.append(await rollups.account(worked_out))

    async with open_rollup_store(database, SETTINGS) as one, open_rollup_store(database, SETTINGS) as other:
        readings = [(rollups, await read(rollups)) for rollups in (one, other)]
        async with trio.open_nursery() as nursery:
            for rollups, worked_out in readings:
                nursery.start_soon(write, rollups, worked_out)

    assert sorted(written) == [0, 2]
    await is_as_rebuilt(database)


async def erase(store: SessionStore, claims: Claims) -> None:
    await store.withdraw(claims, erase=True, at=NOW)


async def read_erase_write(database: Database, store: SessionStore, claims: Claims) -> None:
    async with open_rollup_store(database, SETTINGS) as rollups:
        worked_out = await read(rollups)
        await erase(store, claims)
        assert await rollups.account(worked_out) == 1


async def write_in_the_middle_of_an_erasure(database: Database, store: SessionStore, claims: Claims) -> None:
    async with _held_up(database, "event_ids", lambda: erase(store, claims), "%delete from event_ids%") as nursery:
        nursery.start_soon(_write_all, database)
        await until_running(database, "%for no key update%")


async def erase_in_the_middle_of_writing(database: Database, store: SessionStore, claims: Claims) -> None:
    async with _held_up(database, "session_rollups", lambda: _write_all(database), WRITING) as nursery:
        nursery.start_soon(erase, store, claims)
        await until_running(database, "%set%withdrawn_at = coalesce%")


async def _write_all(database: Database) -> None:
    await bring_up_to_date(database, SETTINGS, NOW)


@asynccontextmanager
async def _held_up(
    database: Database, table: str, job: Callable[[], Awaitable[None]], at: str
) -> AsyncIterator[trio.Nursery]:
    """A job that stands still at a statement, with all that it holds, until the block ends: somebody keeps a table."""
    async with trio.open_nursery() as nursery, database.transaction() as keeper:
        await keeper.run_script(f"lock table {table} in share mode")
        nursery.start_soon(job)
        await until_running(database, at)
        yield nursery


@pytest.mark.parametrize("is_accounted", [False, True])
@pytest.mark.parametrize(
    "interleave", [read_erase_write, write_in_the_middle_of_an_erasure, erase_in_the_middle_of_writing]
)
async def test_an_erasure_leaves_what_the_others_have_done(
    database: Database,
    store: SessionStore,
    interleave: Callable[[Database, SessionStore, Claims], Awaitable[None]],
    is_accounted: bool,
) -> None:
    erased, _ = await two_lives(store)
    if is_accounted:
        await account_for_all(database, NOW)
        await database.execute(MARK, now=NOW)

    await interleave(database, store, erased)

    assert [row[-1] for row in await counted(database)] == [1, 1]
    await is_as_rebuilt(database)


async def test_erasures_at_the_same_time_leave_no_row_of_nothing(database: Database, store: SessionStore) -> None:
    everybody = [await busy(store) for _ in range(6)]
    await account_for_all(database, NOW)

    async with trio.open_nursery() as nursery:
        for claims in everybody[1:]:
            nursery.start_soon(erase, store, claims)

    assert [row[-1] for row in await counted(database)] == [1, 1]
    await erase(store, everybody[0])
    assert await counted(database) == []


async def test_a_rebuild_beside_an_accountant_a_recorder_and_erasures_loses_nothing(
    database: Database, store: SessionStore
) -> None:
    crowd = [await busy(store) for _ in range(10)]
    await account_for_all(database, NOW)

    async def speak() -> None:
        for number in range(15):
            for claims in crowd[:5]:
                at = START + MINUTE + timedelta(seconds=number)
                await say(store, claims, at, event(at))

    async def account() -> None:
        for _ in range(15):
            await bring_up_to_date(database, SETTINGS, NOW)

    async def forget() -> None:
        for claims in crowd[5:8]:
            await erase(store, claims)

    async def start_over() -> None:
        for _ in range(3):
            await rebuild(database, SETTINGS, START, NOW, _unheard)

    async with trio.open_nursery() as nursery:
        for job in (speak, account, forget, start_over):
            nursery.start_soon(job)

    await is_as_rebuilt(database)


async def test_a_run_that_is_cut_short_writes_all_of_a_lot_or_nothing_and_gives_the_turn_back(
    database: Database, store: SessionStore
) -> None:
    await two_lives(store)
    async with _held_up(database, "event_rollups", lambda: _write_all(database), WRITING) as nursery:
        nursery.cancel_scope.cancel()
    assert (await counted(database), await database.fetch_value(STALE)) == ([], 2)

    with trio.fail_after(5):
        while await bring_up_to_date(database, SETTINGS, NOW) is None:  # the server is still letting go
            await trio.sleep(0.01)
    await is_as_rebuilt(database)


async def test_a_change_past_the_retention_brings_no_quarter_back(database: Database) -> None:
    """Its events are gone and what was counted of them is too, so that there was less than nothing."""
    old = NOW - SETTINGS.retention - timedelta(days=1)
    await play_all(database, live(1, old, 10, 40))
    async with open_rollup_store(database, SETTINGS) as rollups:
        await rollups.account(await read(rollups))
    await database.execute(inline("delete from events"))
    await database.execute(inline("delete from event_rollups"))
    await database.execute(MARK, now=NOW)

    async with open_rollup_store(database, SETTINGS) as rollups:
        assert await rollups.account(await read(rollups)) == 1

    assert await counted(database) == []


async def test_what_is_called_something_else_leaves_nothing_under_its_old_name(
    database: Database, store: SessionStore
) -> None:
    """The names in the settings were changed, and a late event came before any rebuild."""
    claims = await busy(store)
    await account_for_all(database, NOW)
    await say(store, claims, START + 2 * MINUTE, event(START))
    renamed = replace(SETTINGS, story_property="title")

    await bring_up_to_date(database, renamed, NOW)

    assert [(row[1], row[2], row[3]) for row in await counted(database)] == [
        ("story_closed", "", 1),
        ("story_opened", "", 2),
    ]


async def test_sessions_that_upkeep_deletes_meanwhile_stay_deleted(database: Database) -> None:
    old = NOW - SETTINGS.retention - timedelta(days=3)
    await play_all(database, [*live(1, old, 10, 40), *live(2, START, 10)])

    async with open_rollup_store(database, SETTINGS) as rollups:
        worked_out = await read(rollups)
        async with database.connection() as connection:
            maintained = await maintain(SETTINGS, connection, NOW)
        accounted = await rollups.account(worked_out)

    assert (maintained.sessions_deleted, maintained.events_deleted, accounted) == (1, 2, 1)
    assert ([row[-1] for row in await counted(database)], await database.fetch_value(KEPT)) == ([1], 1)


async def test_an_outage_is_an_answer_and_the_work_goes_on_when_it_is_over(fragile_server: ServerProcess) -> None:
    async with open_database(settings_for(fragile_server.url)) as database:
        await migrate(database, NOW)
        await play_all(database, live(1, START, 10, 40))
        mailbox: Mailbox[Account] = Mailbox("accountant", 10)
        ready = trio.Event()

        def make() -> Accountant:
            return Accountant(database, SETTINGS, lambda: NOW, ready)

        supervisor = Supervisor([ChildSpec(name="accountant", start=make, mailbox=mailbox)])
        async with open_tree(supervisor) as started:
            await started.wait()
            fragile_server.kill()
            with pytest.raises(errors.Unavailable):
                await mailbox.ref.ask(Account())
            fragile_server.start()
            done = await _ask_until_it_answers(mailbox)
            assert supervisor.statuses()[0].restarts == 0

        assert done.sessions == 1
        assert [row[-1] for row in await counted(database)] == [2]


async def _ask_until_it_answers(mailbox: Mailbox[Account]) -> Accounted:
    with trio.fail_after(20):
        while True:
            try:
                return await mailbox.ref.ask(Account())
            except errors.Unavailable:
                await trio.sleep(0.02)


def test_sessions_are_written_a_few_events_at_a_time() -> None:
    """Two hundred sessions with a thousand events each were locked for two seconds, and whoever spoke for them."""
    sizes = [3, 3, 4, 1, 40, 0, 10]
    worked_out = [WorkedOut(StaleSession(uuid(n), 1, NOW, n, b"[]"), StoryTime(0, 0)) for n in sizes]

    portions = list(in_portions(worked_out, most=10))

    assert [[each.session.events for each in portion] for portion in portions] == [[3, 3, 4], [1], [40], [0, 10]]
    assert list(in_portions([], most=10)) == []


async def test_what_a_session_says_of_stories_is_read_apart_from_the_pages(
    database: Database, store: SessionStore
) -> None:
    """Many rows took the better part of a second to read, in which the service answered nobody: a thread does it now."""
    claims = await busy(store)

    async with open_rollup_store(database, SETTINGS) as rollups:
        [stale] = await rollups.stale_sessions(NOW)
        [worked_out] = work_out([stale])

    assert (stale.id, stale.events, type(stale.stories)) == (claims.session_id, 2, bytes)
    assert worked_out.time == (60, 0)
    assert isinstance(stale.id, UUID)


async def test_a_session_of_very_many_events_is_counted(database: Database, store: SessionStore) -> None:
    claims = await start(store, START)
    await say(store, claims, START + MINUTE, event(START, "button_clicked", props=None))
    await database.execute(
        inline(
            """
            insert into events (received_at, session_id, installation_id, id, name, at, seq, props, is_cut)
            select
                received_at, session_id, installation_id, gen_random_uuid(), 'story_opened',
                at + number * interval '1 millisecond', number, ('{"story":"' || number % 300 || '"}')::json, false
            from events, generate_series(1, 20000) as number
            """
        )
    )

    await is_as_rebuilt(database)

    assert sum(row[-1] for row in await counted(database)) == 20_001
    assert await database.fetch_value(inline("select stories_unclosed from sessions")) == 300
    assert claims.session_id
