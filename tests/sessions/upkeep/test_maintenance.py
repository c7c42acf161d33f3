"""The upkeep of sessions on a real database: what it makes, what it deletes, and what it leaves alone."""

from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
import trio
from msgspec import Struct
from msgspec.structs import replace

from pulsekeeper.postgres import partition_store
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.failures import TransactionConflict
from pulsekeeper.postgres.partitions import AHEAD
from pulsekeeper.postgres.queries import Query, inline
from pulsekeeper.postgres.upkeep import take_turn
from pulsekeeper.scalars import Duration
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.upkeep import upkeep_store
from pulsekeeper.sessions.upkeep.maintenance import Maintained, maintain

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
SETTINGS = replace(Settings(), retention=Duration(days=10))
KEPT_SINCE = datetime(2026, 2, 28, tzinfo=UTC)
"""The first moment that is kept at `NOW`: of the day that is ten days ago, all is."""
INSTALLATION, SESSION = uuid4(), uuid4()

STORE = inline(
    "with stored as (insert into event_ids (installation_id, event_id) values (:installation, :id))"
    " insert into events (received_at, session_id, installation_id, id, name, at, is_cut)"
    " values (:at, :session, :installation, :id, 'story_opened', :at, false)"
)
OPEN = inline(
    "insert into sessions (id, installation_id, started_at, last_seen_at, ended_at, end_reason, check_at) values"
    " (:id, :installation, :start, :seen, :end, case when :end::timestamptz is not null then 'timeout' end, :start)"
)
ROLL_UP = inline("insert into session_rollups (session_id, counts) values (:id, '[]')")
COUNT = inline("insert into event_rollups (quarter, name, value, events) values (:quarter, :name, '', 1)")
BE_PRESENT = inline("insert into presence_rollups (quarter, peak, is_final) values (:quarter, 1, true)")
EVENTS = inline("select tableoid::regclass::text as place, received_at from events order by received_at")
IDS = inline("select event_id from event_ids order by event_id")
SESSIONS = inline("select id from sessions order by id")
ROLLED_UP = inline("select session_id from session_rollups order by session_id")
QUARTERS = inline("select quarter from event_rollups union all select quarter from presence_rollups order by quarter")


async def run(database: Database, now: datetime = NOW) -> Maintained:
    async with database.connection(patient=True) as connection:
        return await maintain(SETTINGS, connection, now)


async def receive(database: Database, *moments: datetime) -> list[UUID]:
    """An event at each moment; their ids."""
    ids = [uuid4() for _ in moments]
    for event_id, at in zip(ids, moments, strict=True):
        await database.execute(STORE, id=event_id, at=at, session=SESSION, installation=INSTALLATION)
    return ids


async def had(database: Database, end: datetime | None, *, seen: datetime | None = None) -> UUID:
    """A session of an hour with a roll-up, which ended at a moment or was only last seen at one."""
    session, last = uuid4(), seen or end
    assert last is not None
    start = last - timedelta(hours=1)
    await database.execute(OPEN, id=session, installation=INSTALLATION, start=start, seen=last, end=end)
    await database.execute(ROLL_UP, id=session)
    return session


async def values(database: Database, query: Query) -> list[object]:
    return [row[0] for row in await database.fetch(query)]


async def places(database: Database) -> list[tuple[str, datetime]]:
    return [(row["place"], row["received_at"]) for row in await database.fetch(EVENTS)]


async def test_partitions_are_made_ahead_and_events_find_them(database: Database) -> None:
    done = await run(database)
    await receive(database, NOW + AHEAD * DAY)

    assert (done.made[0], done.made[-1], len(done.made)) == ("events_20260310", "events_20260317", AHEAD + 1)
    assert await places(database) == [("events_20260317", NOW + AHEAD * DAY)]
    assert (await run(database)).made == ()


async def test_days_past_the_retention_go_with_the_ids_of_their_events(database: Database) -> None:
    await run(database, KEPT_SINCE - 2 * DAY)
    old = (KEPT_SINCE - 2 * DAY, KEPT_SINCE - DAY, KEPT_SINCE - MICROSECOND)
    await receive(database, *old)
    kept = await receive(database, KEPT_SINCE, NOW)

    done = await run(database)

    assert done.dropped == ("events_20260226", "events_20260227")
    assert (done.event_ids_forgotten, done.events_deleted) == (3, 0)
    assert await places(database) == [("events_20260228", KEPT_SINCE), ("events_20260310", NOW)]
    assert await values(database, IDS) == sorted(kept)


async def test_a_day_is_kept_as_long_as_any_of_it_is(database: Database) -> None:
    await run(database, KEPT_SINCE)
    await receive(database, KEPT_SINCE)
    midnight = KEPT_SINCE + 11 * DAY

    assert (await run(database, midnight - MICROSECOND)).dropped == ()
    assert (await run(database, midnight)).dropped == ("events_20260228",)


async def test_stray_events_past_the_retention_go_with_their_ids(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of days on which no maintenance has run, the default partition has the events."""
    monkeypatch.setattr(partition_store, "_DELETED_AT_ONCE", 2)
    await receive(database, *(KEPT_SINCE - number * MICROSECOND for number in range(1, 6)))
    kept = await receive(database, KEPT_SINCE)

    done = await run(database)

    assert (done.events_deleted, done.event_ids_forgotten, done.dropped) == (5, 5, ())
    assert await places(database) == [("events_default", KEPT_SINCE)]
    assert await values(database, IDS) == kept


async def test_ids_are_forgotten_page_by_page(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep_store, "_PAGES_AT_ONCE", 1)
    await run(database, KEPT_SINCE - DAY)
    await receive(database, *(KEPT_SINCE - number * MICROSECOND for number in range(1, 201)))
    pages = await database.fetch_value(inline("select pg_relation_size('events_20260227') / 8192"))

    done = await run(database)

    assert pages > 2
    assert done.event_ids_forgotten == 200
    assert await values(database, IDS) == []


async def test_a_day_whose_ids_are_half_forgotten_is_finished_by_the_next_run(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_store, "_ATTEMPTS", 1)
    for now in (NOW, KEPT_SINCE - DAY):
        await run(database, now)
    await receive(database, KEPT_SINCE - DAY)
    async with database.transaction() as export:
        await export.fetch(EVENTS)
        with pytest.raises(TransactionConflict):
            await run(database)

    assert await values(database, IDS) == []
    assert [at for _, at in await places(database)] == [KEPT_SINCE - DAY]

    done = await run(database)

    assert (done.dropped, done.event_ids_forgotten) == (("events_20260227",), 0)


async def test_a_session_goes_when_the_last_of_its_events_have_gone(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its events are taken for a day after its end, and an event is found by its session when it is to be erased."""
    monkeypatch.setattr(upkeep_store, "_DELETED_AT_ONCE", 2)
    last = KEPT_SINCE - SETTINGS.late
    for number in range(1, 6):
        await had(database, last - number * MICROSECOND)
    kept = sorted([await had(database, last), await had(database, NOW)])

    done = await run(database)

    assert done.sessions_deleted == 5
    assert await values(database, SESSIONS) == kept
    assert await values(database, ROLLED_UP) == kept


async def test_an_open_session_is_never_deleted(database: Database) -> None:
    """It is the reaper that ends it; when it has, it is gone an hour later."""
    silent = await had(database, None, seen=KEPT_SINCE - 100 * DAY)

    assert (await run(database)).sessions_deleted == 0
    assert await values(database, SESSIONS) == [silent]


async def test_a_session_that_somebody_writes_to_is_passed_over(database: Database) -> None:
    held, _ = sorted([await had(database, KEPT_SINCE - 9 * DAY), await had(database, KEPT_SINCE - 9 * DAY)])
    async with database.transaction() as speech:
        await speech.execute(inline("select 1 from sessions where id = :id for update"), id=held)
        done = await run(database)

    assert done.sessions_deleted == 1
    assert await values(database, SESSIONS) == [held]


async def test_figures_of_quarters_past_the_retention_are_deleted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_store, "_DELETED_AT_ONCE", 2)
    quarter = timedelta(minutes=15)
    for at in (KEPT_SINCE, *(KEPT_SINCE - number * quarter for number in range(1, 4))):
        await database.execute(COUNT, quarter=at, name="story_opened")
        await database.execute(BE_PRESENT, quarter=at)

    done = await run(database)

    assert done.rollups_deleted == 6
    assert await values(database, QUARTERS) == [KEPT_SINCE, KEPT_SINCE]


async def test_of_several_nodes_one_works_and_the_others_let_it(database: Database) -> None:
    await run(database, KEPT_SINCE - DAY)
    await receive(database, *[KEPT_SINCE - DAY] * 20)
    results: list[Struct | None] = []

    async def node() -> None:
        results.append(await take_turn(database, "sessions", partial(maintain, SETTINGS), NOW))

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(node)

    done = [each for each in results if isinstance(each, Maintained)]
    assert sum(each.event_ids_forgotten for each in done) == 20
    assert [name for each in done for name in each.dropped] == ["events_20260227"]


async def test_events_are_received_all_the_while(database: Database) -> None:
    received: list[UUID] = []

    async def keep_receiving(over: trio.CancelScope) -> None:
        while not over.cancel_called:
            received.extend(await receive(database, NOW))

    async with trio.open_nursery() as nursery:
        over = trio.CancelScope()
        for _ in range(3):
            nursery.start_soon(keep_receiving, over)
        while len(received) < 10:  # noqa: ASYNC110  # the receivers tell nobody
            await trio.sleep(0.001)
        await run(database)
        over.cancel()

    assert await values(database, IDS) == sorted(received)
    assert set(await places(database)) == {("events_20260310", NOW)}


async def test_ids_are_found_by_their_key_and_events_by_their_page(database: Database) -> None:
    """Whatever the server thinks of the tables: there may be a hundred times as many ids as a day has events."""
    await run(database, KEPT_SINCE - DAY)
    statement, bounds = upkeep_store._Q.forget_event_ids, f"'{KEPT_SINCE - DAY}', '{KEPT_SINCE}', '(0,0)', '(64,0)'"
    async with database.connection() as connection:
        await connection.run_script("set plan_cache_mode = force_generic_plan")
        await connection.run_script(f"prepare forget (timestamptz, timestamptz, tid, tid) as {statement.sql}")
        plan = "\n".join(row[0] for row in await connection.fetch(inline(f"explain analyze execute forget ({bounds})")))

    assert "Tid Range Scan on events_20260227" in plan
    assert "using event_ids_pkey on event_ids" in plan
    assert "Seq Scan" not in plan
