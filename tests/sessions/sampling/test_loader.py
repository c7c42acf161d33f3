"""A made-up history is in the tables as the handshake would have left it, and all of it or nothing."""

from datetime import UTC, date, datetime

import pytest
import trio

from pulsekeeper.errors import Conflict
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.sampling.history import visits
from pulsekeeper.sessions.sampling.loader import Loaded, has_history, load
from pulsekeeper.sessions.sampling.population import Sample, populate
from tests.support.waiting import eventually

SAMPLE = Sample(seed=1, until=date(2026, 3, 31), days=10, installations=20)
NOW = datetime(2026, 3, 31, 15, 7, tzinfo=UTC)
_COUNTS = inline(
    "select (select count(*) from installations) as installations, (select count(*) from sessions) as sessions,"
    " (select count(*) from events) as events, (select count(*) from event_ids) as event_ids"
)


async def fill(database: Database, sample: Sample = SAMPLE) -> Loaded:
    return await load(database, sample, Settings(), NOW, lambda _: None)


async def counts(database: Database) -> tuple[int, ...]:
    [row] = await database.fetch(_COUNTS)
    return tuple(row)


async def test_it_is_there_as_it_was_told(database: Database) -> None:
    told = [visit for number in range(10) for visit in visits(SAMPLE, populate(SAMPLE), number, Settings(), NOW)]

    loaded = await fill(database)

    events = {event.id for visit in told for event in visit.events}
    installations = {visit.session.installation_id for visit in told}
    assert loaded == Loaded(len(installations), len(told), len(events))
    assert await counts(database) == (len(installations), len(told), len(events), len(events))
    assert {row["id"] for row in await database.fetch(inline("select id from events"))} == events


async def test_installations_are_known_since_their_first_session(database: Database) -> None:
    await fill(database)

    wrong = inline(
        "select installations.id from installations join sessions on installation_id = installations.id"
        " group by installations.id having first_at <> min(started_at) or consented_at <> max(started_at)"
        " or withdrawn_at is distinct from max(ended_at) filter (where end_reason = 'consent')"
        " or bool_or(is_withdrawn) <> (withdrawn_at is not null) or bool_and(is_withdrawn) <> bool_or(is_withdrawn)"
    )
    assert await database.fetch(wrong) == []


async def test_every_session_is_marked_as_changed(database: Database) -> None:
    """So that the roll-ups catch up with it."""
    loaded = await fill(database)

    stale = inline("select count(*) from sessions where stale_since = :now and changes > 0")
    assert await database.fetch_value(stale, now=NOW) == loaded.sessions


async def test_every_day_has_a_partition(database: Database) -> None:
    await fill(database)

    assert await database.fetch(inline("select id from events_default")) == []


async def test_days_are_told_of_as_they_are_done(database: Database) -> None:
    days: list[int] = []

    await load(database, SAMPLE, Settings(), NOW, days.append)

    assert days == [1] * 10


async def test_whether_there_is_anything_can_be_asked(database: Database) -> None:
    before = await has_history(database)
    await fill(database)

    assert (before, await has_history(database)) == (False, True)


async def test_the_same_history_is_not_loaded_twice(database: Database) -> None:
    await fill(database)
    before = await counts(database)

    with pytest.raises(Conflict, match="this very history is there already"):
        await fill(database)

    assert await counts(database) == before


async def test_another_history_is_added(database: Database) -> None:
    first = await fill(database)
    second = await fill(database, Sample(seed=2, until=SAMPLE.until, days=10, installations=20))

    assert (await counts(database))[1] == first.sessions + second.sessions


async def test_two_who_load_the_same_at_once_load_it_once(database: Database) -> None:
    conflicts: list[Conflict] = []

    async def try_it() -> None:
        try:
            await fill(database)
        except Conflict as conflict:
            conflicts.append(conflict)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(try_it)
        nursery.start_soon(try_it)

    assert len(conflicts) == 1
    assert (await counts(database))[0] > 0


async def test_when_it_is_cancelled_nothing_is_left(database: Database) -> None:
    with trio.CancelScope() as scope:
        await load(database, SAMPLE, Settings(), NOW, lambda _: scope.cancel())

    async def is_empty() -> bool:
        return await counts(database) == (0, 0, 0, 0)

    assert scope.cancelled_caught
    await eventually(is_empty)
