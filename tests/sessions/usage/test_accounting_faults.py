"""What happens to roll-ups when the database or the actor goes in the middle, and when there is very much to do."""

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
from pulsekeeper.sessions.store import SessionStore
from pulsekeeper.sessions.upkeep.maintenance import maintain
from pulsekeeper.sessions.usage.accountant import Account, Accountant
from pulsekeeper.sessions.usage.bookkeeping import bring_up_to_date
from pulsekeeper.sessions.usage.rollup_store import open_rollup_store
from pulsekeeper.sessions.usage.rollups import Accounted, StaleSession, WorkedOut, in_portions, work_out
from pulsekeeper.sessions.usage.stories import StoryTime
from tests.support.postgres import ServerProcess, settings_for
from tests.support.sessions import event, say, start
from tests.support.sessions_figures import (
    MINUTE,
    NOW,
    START,
    WRITING,
    account_for_all,
    busy,
    counted,
    held_up,
    is_as_rebuilt,
    read,
    two_lives,
    write_all,
)
from tests.support.sessions_histories import SETTINGS, live, play_all, uuid

MARK = inline("update sessions set stale_since = :now, changes = changes + 1")
STALE = inline("select count(*) from sessions where stale_since is not null")
KEPT = inline("select count(*) from session_rollups")


@pytest.fixture
def store(database: Database) -> SessionStore:
    return SessionStore(database, SETTINGS)


async def test_a_run_that_is_cut_short_writes_all_of_a_lot_or_nothing_and_gives_the_turn_back(
    database: Database, store: SessionStore
) -> None:
    await two_lives(store)
    async with held_up(database, "event_rollups", lambda: write_all(database), WRITING) as nursery:
        nursery.cancel_scope.cancel()
    assert (await counted(database), await database.fetch_value(STALE)) == ([], 2)

    with trio.fail_after(5):
        while await bring_up_to_date(database, SETTINGS, NOW) is None:  # noqa: ASYNC110  # the server is still letting go
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
    """Many rows took the better part of a second to read, in which nobody was answered: a thread does it now."""
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
