"""What is stored, read in the right order and as of one moment."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from pulsekeeper import errors
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.archive import archive_store
from pulsekeeper.sessions.archive.archive_store import ArchiveStore
from pulsekeeper.sessions.archive.periods import Period
from pulsekeeper.sessions.model import EndReason
from tests.support.sessions_archive import INSTALLATION, NOON, SESSION, add_events, add_many, add_session
from tests.support.waiting import all_idle, eventually

SECOND = timedelta(seconds=1)
_WAITING = inline("select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in%'")
EVER = Period(NOON - timedelta(days=9), NOON + timedelta(days=9))


@pytest.fixture
def store(database: Database) -> ArchiveStore:
    return ArchiveStore(database)


async def names(store: ArchiveStore, page: int = 100) -> list[str]:
    """Of all events of the session, read by pages."""
    session = await store.session(SESSION)
    after, found = None, []
    while events := await store.events(session, after, page):
        found += [event.name for event in events]
        after = events[-1].id
    return found


def event(name: str, at: float, seq: int | None = None, **columns: Any) -> dict[str, Any]:
    return {"name": name, "at": NOON + at * SECOND, "seq": seq, **columns}


async def test_a_session_is_read_as_it_is_stored(store: ArchiveStore, database: Database) -> None:
    await add_session(
        database, ended_at=NOON, end_reason="timeout", app_version="1.2", platform="figma", timezone="Europe/Berlin"
    )

    session = await store.session(SESSION)

    assert (session.session_id, session.installation_id, session.ended_at) == (SESSION, INSTALLATION, NOON)
    assert (session.end_reason, session.app_version, session.platform) == (EndReason.TIMEOUT, "1.2", "figma")
    assert session.timezone == "Europe/Berlin"


async def test_a_session_that_never_was_is_not_found(store: ArchiveStore) -> None:
    with pytest.raises(errors.NotFound):
        await store.session(SESSION)


@pytest.mark.parametrize("page", [1, 2, 100])
async def test_numbers_order_events_and_times_those_without(page: int, store: ArchiveStore, database: Database) -> None:
    """The clock went back between 1 and 2: what has no number stands before the first that is later."""
    await add_session(database)
    await add_events(
        database,
        event("three", 4, 3),
        event("at two", 2),
        event("two", 1, 2),
        event("at four", 4),
        event("one", 3, 1),
        event("at zero", 0),
        event("at nine", 9),
    )

    assert await names(store, page) == ["at zero", "at two", "one", "two", "three", "at four", "at nine"]


async def test_what_is_equal_is_ordered_by_time_and_then_by_id(store: ArchiveStore, database: Database) -> None:
    await add_session(database)
    await add_events(
        database,
        event("later", 2, 1),
        event("b", 1, 1, id=UUID(int=2)),
        event("a", 1, 1, id=UUID(int=1)),
        event("d", 5, id=UUID(int=4)),
        event("c", 5, id=UUID(int=3)),
    )

    assert await names(store) == ["a", "b", "later", "c", "d"]


async def test_only_the_sessions_own_events_are_read(store: ArchiveStore, database: Database) -> None:
    """Another installation may have given the same id, at the same time."""
    await add_session(database)
    same: dict[str, Any] = {"id": UUID(int=7), "received_at": NOON}
    await add_events(
        database,
        event("ours", 0, **same),
        event("theirs", 0, session_id=UUID(int=9), installation_id=UUID(int=8), **same),
    )

    assert await names(store) == ["ours"]


async def test_an_event_that_was_received_by_a_slow_clock_is_found(store: ArchiveStore, database: Database) -> None:
    """Not that of the node which dated the session's start."""
    await add_session(database)
    await add_events(database, event("early", 0, received_at=NOON - 100 * SECOND))

    assert await names(store) == ["early"]


async def test_after_an_event_of_another_session_there_is_nothing_to_read(
    store: ArchiveStore, database: Database
) -> None:
    """After the last one there is nothing either, but that is no mistake: more may come."""
    await add_session(database)
    [last] = await add_events(database, event("only", 0))
    session = await store.session(SESSION)

    with pytest.raises(errors.Invalid, match="no event of this session"):
        await store.events(session, UUID(int=4711), 10)
    assert await store.events(session, last, 10) == ()


async def test_events_are_exported_by_their_receipt(store: ArchiveStore, database: Database) -> None:
    """The first moment belongs to the time, the last one does not."""
    moments = [NOON - SECOND, NOON, NOON + SECOND, NOON + 2 * SECOND]
    await add_events(database, *({"name": f"n{place}", "received_at": at} for place, at in enumerate(moments)))

    async with store.exported(Period(NOON, NOON + 2 * SECOND)) as lots:
        found = [row["name"] async for rows in lots for row in rows]

    assert sorted(found) == ["n1", "n2"]


async def test_an_export_holds_some_events_at_a_time(store: ArchiveStore, database: Database) -> None:
    await add_many(database, 2 * archive_store.LOT + 1)

    async with store.exported(EVER) as lots:
        sizes = [len(rows) async for rows in lots]

    assert sizes == [archive_store.LOT, archive_store.LOT, 1]


async def test_an_export_is_as_of_one_moment(
    store: ArchiveStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is stored and erased while it goes on."""
    monkeypatch.setattr(archive_store, "LOT", 10)
    await add_many(database, 25)

    async with store.exported(EVER) as lots:
        found = [row["id"] for row in await anext(lots)]
        await add_many(database, 50)
        await database.execute(inline("delete from events where id < '00000000-0000-0000-0000-000000000014'"))
        found += [row["id"] async for rows in lots for row in rows]

    assert sorted(found) == sorted(str(UUID(int=place)) for place in range(25))


async def test_who_does_not_read_on_loses_the_export(
    store: ArchiveStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snapshot would keep the database from cleaning up. The connection is given back like any that is lost."""
    monkeypatch.setattr(archive_store, "LOT", 10)
    monkeypatch.setattr(archive_store, "_SLOWEST_READER", "10ms")
    await add_many(database, 25)

    async def nobody_waits() -> bool:
        return bool(await database.fetch_value(_WAITING) == 0)

    with pytest.raises(errors.Unavailable):  # noqa: PT012  # it is lost in the middle
        async with store.exported(EVER) as lots:
            await anext(lots)
            await eventually(nobody_waits)
            await anext(lots)
    await all_idle(database)


async def test_the_oldest_session_is_known(store: ArchiveStore, database: Database) -> None:
    assert await store.first_session_at() is None
    for number in (1, 2):
        await add_session(database, id=UUID(int=number), started_at=NOON - number * SECOND)
    assert await store.first_session_at() == NOON - 2 * SECOND
    await store.check()
