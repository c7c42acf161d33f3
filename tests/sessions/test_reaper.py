"""The reaper on a real database, and its sleep with a store of two methods."""

from contextlib import AsyncExitStack
from datetime import datetime, timedelta

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from pulsekeeper import errors
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.failures import TransactionConflict
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.reaper import LOT, Sweep
from pulsekeeper.sessions.records import Swept
from pulsekeeper.sessions.store import SessionStore
from tests.support.sessions import DEFAULTS, HOUR, NOW, ending, minutes, reaping, say, settings, start

SILENT = inline(
    """
    insert into sessions (id, installation_id, started_at, last_seen_at, check_at)
    select gen_random_uuid(), gen_random_uuid(), :at, :at, :at from generate_series(1, :count)
    """
)
OPEN = inline("select count(*) from sessions where ended_at is null")
HOLD = inline("select 1 from sessions where id = :id for update")


class Due(SessionStore):
    """What is due, and when it is asked for."""

    def __init__(self, *checks: datetime | None, moods: tuple[Exception | None, ...] = ()) -> None:
        self.checks = list(checks)
        self.moods = list(moods)
        self.sweeps: list[float] = []
        self.began = trio.current_time()

    def clock(self) -> datetime:
        return NOW + timedelta(seconds=trio.current_time() - self.began)

    async def sweep(self, now: datetime, limit: int) -> Swept:
        assert (now, limit) == (self.clock(), LOT)
        self.sweeps.append(trio.current_time() - self.began)
        mood = self.moods.pop(0) if self.moods else None
        if mood is not None:
            raise mood
        return Swept(ended=0, put_off=0)

    async def next_check(self) -> datetime | None:
        return self.checks.pop(0) if self.checks else None


async def test_silent_sessions_are_ended_when_it_is_asked_to(database: Database) -> None:
    store = SessionStore(database, DEFAULTS)
    silent, heard = await start(store), await start(store)
    await say(store, heard, NOW + minutes(30))

    async with reaping(store, lambda: NOW + minutes(70)) as reaper:
        await reaper.ref.ask(Sweep())

    assert await ending(database, silent) == (NOW, "timeout")
    assert await ending(database, heard) == (None, None)


async def test_it_sweeps_lot_after_lot_until_nothing_is_due(database: Database) -> None:
    store = SessionStore(database, DEFAULTS)
    await database.execute(SILENT, at=NOW, count=2 * LOT + 1)

    async with reaping(store, lambda: NOW + 2 * HOUR) as reaper:
        await reaper.ref.ask(Sweep())
        assert await database.fetch_value(OPEN) == 0


async def test_those_who_are_put_off_do_not_hide_who_is_silent(database: Database) -> None:
    store, now = SessionStore(database, DEFAULTS), NOW
    await database.execute(SILENT, at=NOW, count=LOT)
    await database.execute(inline("update sessions set last_seen_at = :at"), at=NOW + minutes(30))
    silent = await start(store)

    async with reaping(store, lambda: now) as reaper:
        assert await reaper.ref.ask(Sweep()) == Swept(ended=0, put_off=0)
        now = NOW + HOUR + minutes(1)
        await reaper.ref.ask(Sweep())

    assert await ending(database, silent) == (NOW, "timeout")
    assert await database.fetch_value(OPEN) == LOT


async def test_rows_that_others_are_at_are_passed_over_and_tried_again_a_second_later(database: Database) -> None:
    store = SessionStore(database, DEFAULTS)
    held, free = await start(store), await start(store)

    async with AsyncExitStack() as stack:
        async with database.transaction() as transaction:
            await transaction.fetch(HOLD, id=held.session_id)
            reaper = await stack.enter_async_context(reaping(store, lambda: NOW + 2 * HOUR))  # it sweeps at once
            await reaper.ref.ask(Sweep())
            assert await ending(database, free) == (NOW, "timeout")
            assert await ending(database, held) == (None, None)
        await reaper.ref.ask(Sweep())

    assert await ending(database, held) == (NOW, "timeout")


@pytest.mark.parametrize(
    ("due", "second"),
    [
        (NOW + minutes(20), 1200),
        (NOW, 1),  # it was held by somebody: no spinning
        (NOW - HOUR, 1),
        (None, 3600),  # who starts now is due in an hour
        (NOW + 5 * HOUR, 3600),
    ],
    ids=["later", "now", "overdue", "nothing", "far"],
)
async def test_it_sleeps_until_something_is_due(autojump_clock: MockClock, due: datetime | None, second: float) -> None:
    store = Due(due)

    async with reaping(store, store.clock):
        await trio.sleep(3700)

    assert store.sweeps[:2] == pytest.approx([0, second])


async def test_where_sessions_may_be_open_only_shortly_it_sleeps_no_longer(autojump_clock: MockClock) -> None:
    store = Due()
    of = settings(max_length="10m")

    async with reaping(store, store.clock, of):
        await trio.sleep(1000)

    assert store.sweeps == pytest.approx([0, 600])


async def test_an_outage_is_waited_out_and_said_once(autojump_clock: MockClock) -> None:
    store = Due(moods=tuple([errors.Unavailable("gone")] * 7))

    with capture_logs() as logs:
        async with reaping(store, store.clock):
            await trio.sleep(100)

    assert store.sweeps == pytest.approx([0, 1, 3, 7, 15, 31, 61, 91])
    assert [log["event"] for log in logs] == ["not_swept"]


async def test_a_lot_that_was_not_given_precedence_is_left_to_the_next_sweep(autojump_clock: MockClock) -> None:
    store = Due(NOW, moods=(TransactionConflict("deadlock"),))

    async with reaping(store, store.clock):
        await trio.sleep(2)

    assert store.sweeps == pytest.approx([0, 1])


async def test_who_asks_during_an_outage_is_told(autojump_clock: MockClock) -> None:
    store = Due(moods=(None, errors.Unavailable("gone")))

    async with reaping(store, store.clock) as reaper:
        await trio.sleep(1)
        with pytest.raises(errors.Unavailable):
            await reaper.ref.ask(Sweep())
        assert await reaper.ref.ask(Sweep()) == Swept(ended=0, put_off=0)


async def test_it_waits_for_the_schema(autojump_clock: MockClock) -> None:
    store, ready = Due(), trio.Event()

    async with reaping(store, store.clock, schema_ready=ready) as reaper:
        with pytest.raises(errors.Unavailable):
            await reaper.ref.ask(Sweep())
        await trio.sleep(10)
        assert store.sweeps == []
        ready.set()
        await trio.sleep(1)

    assert store.sweeps == pytest.approx([10])
