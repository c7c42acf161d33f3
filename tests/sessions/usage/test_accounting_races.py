"""What happens to roll-ups when others are at the same rows at the same time.

When everything is quiet again, what is rolled up is what raw events say, without a row of nothing or of less.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
import trio

from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.records import Claims
from pulsekeeper.sessions.store import SessionStore
from pulsekeeper.sessions.usage.bookkeeping import follow_presence
from pulsekeeper.sessions.usage.rebuilding import rebuild
from pulsekeeper.sessions.usage.rollup_store import RollupStore, open_rollup_store
from pulsekeeper.sessions.usage.rollups import WorkedOut
from tests.support.sessions import event, say
from tests.support.sessions_figures import (
    MINUTE,
    NOW,
    PEAKS,
    START,
    WRITING,
    account_for_all,
    busy,
    counted,
    held_up,
    is_as_rebuilt,
    read,
    two_lives,
    unheard,
    write_all,
)
from tests.support.sessions_histories import SETTINGS
from tests.support.waiting import eventually, until_running

MARK = inline("update sessions set stale_since = :now, changes = changes + 1")


@pytest.fixture
def store(database: Database) -> SessionStore:
    return SessionStore(database, SETTINGS)


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
    async with held_up(database, "event_ids", lambda: erase(store, claims), "%delete from event_ids%") as nursery:
        nursery.start_soon(write_all, database)
        await until_running(database, "%for no key update%")


async def erase_in_the_middle_of_writing(database: Database, store: SessionStore, claims: Claims) -> None:
    async with held_up(database, "session_rollups", lambda: write_all(database), WRITING) as nursery:
        nursery.start_soon(erase, store, claims)
        await until_running(database, "%set%withdrawn_at = coalesce%")


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


async def test_who_is_erased_while_presence_is_settled_is_not_there_for_ever(
    database: Database, store: SessionStore
) -> None:
    """The erasure found no row yet to forget, and what it erased could still be seen when the row became final."""
    settled = START + timedelta(days=3)
    claims = await busy(store)
    async with held_up(database, "event_ids", lambda: erase(store, claims), "%delete from event_ids%"):
        async with open_rollup_store(database, SETTINGS) as rollups:
            for _ in range(2):
                await follow_presence(rollups, settled, windows=5)
        assert await database.fetch(PEAKS)

    async with open_rollup_store(database, SETTINGS) as rollups:
        await follow_presence(rollups, settled, windows=5)

    assert await database.fetch(PEAKS) == []


async def test_presence_of_long_ago_becomes_final_when_nobody_is_at_work(
    database: Database, store: SessionStore
) -> None:
    await busy(store)
    async with open_rollup_store(database, SETTINGS) as rollups:
        first, _ = await follow_presence(rollups, START + timedelta(days=3), windows=5)

        async def is_final() -> bool:
            again, _ = await follow_presence(rollups, START + timedelta(days=3), windows=5)
            return again < first

        await eventually(is_final)


async def test_a_rebuild_of_presence_goes_on_where_it_was(database: Database, store: SessionStore) -> None:
    await busy(store)
    now = START + timedelta(days=5)

    async with open_rollup_store(database, SETTINGS) as rollups:
        first, rest = await follow_presence(rollups, now, windows=1)
        second, end = await follow_presence(rollups, now, windows=2, since=rest or NOW)

    assert (first, rest, end) == (192, START + timedelta(days=2), None)
    assert first + second == 5 * 96 + 1


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

    async with trio.open_nursery() as nursery:
        for claims in crowd[:5]:
            nursery.start_soon(_speak_often, store, claims)
        for claims in crowd[5:8]:
            nursery.start_soon(erase, store, claims)
        nursery.start_soon(_again_and_again, lambda: write_all(database), 15)
        nursery.start_soon(_again_and_again, lambda: _start_over(database), 3)

    await is_as_rebuilt(database)


async def _speak_often(store: SessionStore, claims: Claims) -> None:
    for number in range(15):
        at = START + MINUTE + timedelta(seconds=number)
        await say(store, claims, at, event(at))


async def _start_over(database: Database) -> None:
    await rebuild(database, SETTINGS, START, NOW, unheard)


async def _again_and_again(job: Callable[[], Awaitable[None]], times: int) -> None:
    for _ in range(times):
        await job()
