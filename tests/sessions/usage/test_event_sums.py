"""The sums by the hour and day that the database keeps with the roll-up, whoever writes it."""

from collections.abc import Sequence
from datetime import datetime

import trio

from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.postgres.statements import Statements
from tests.support.sessions_histories import utc

PUT = inline(
    """
    insert into event_rollups
    select * from unnest(:quarters::timestamptz[], :names::text[], :values::text[], :events::bigint[])
    on conflict (quarter, name, value) do update set events = event_rollups.events + excluded.events
    """
)
SUMS = inline("select span, start, name, value, events from event_sums order by 1, 2, 3, 4")
EVENING = utc("2026-11-21 23:30")
LATER = utc("2026-11-21 23:45")
NIGHT = utc("2026-11-22 00:00")

Row = tuple[datetime, str, str, int]


async def put(database: Statements, *rows: Row) -> None:
    quarters, names, values, events = zip(*rows, strict=True)
    await database.execute(PUT, quarters=quarters, names=names, values=values, events=events)


async def sums(database: Database) -> Sequence[tuple[object, ...]]:
    return [tuple(row) for row in await database.fetch(SUMS)]


async def test_names_are_summed_by_the_hour_and_values_by_the_day(database: Database) -> None:
    await put(database, (EVENING, "a", "x", 1), (LATER, "a", "x", 2), (LATER, "a", "", 4), (NIGHT, "a", "x", 8))

    assert await sums(database) == [
        ("day", utc("2026-11-21 00:00"), "a", "x", 3),
        ("day", NIGHT, "a", "x", 8),
        ("hour", utc("2026-11-21 23:00"), "a", "", 7),
        ("hour", NIGHT, "a", "", 8),
    ]


async def test_one_statement_may_add_rows_and_change_others(database: Database) -> None:
    await put(database, (NIGHT, "a", "x", 1))
    await put(database, (NIGHT, "a", "x", 1), (NIGHT, "b", "", 5))

    assert await sums(database) == [
        ("day", NIGHT, "a", "x", 2),
        ("hour", NIGHT, "a", "", 2),
        ("hour", NIGHT, "b", "", 5),
    ]


async def test_of_what_is_erased_not_even_its_name_is_left(database: Database) -> None:
    await put(database, (EVENING, "a", "secret", 1), (NIGHT, "a", "x", 1), (NIGHT, "b", "secret", 1))

    await database.execute(inline("update event_rollups set events = 0 where value = 'secret'"))
    assert await sums(database) == [("day", NIGHT, "a", "x", 1), ("hour", NIGHT, "a", "", 1)]

    await database.execute(inline("delete from event_rollups"))
    assert await sums(database) == []


async def test_what_is_taken_out_of_a_quarter_that_is_gone_lessens_no_sum(database: Database) -> None:
    await put(database, (EVENING, "a", "", 3), (LATER, "a", "", 4))
    await database.execute(inline("delete from event_rollups where quarter = :at"), at=EVENING)

    await put(database, (EVENING, "a", "", -3))
    await database.execute(inline("delete from event_rollups where events <= 0"))

    assert await sums(database) == [("hour", utc("2026-11-21 23:00"), "a", "", 4)]


async def test_those_who_write_the_same_sums_take_turns(database: Database) -> None:
    """Each of the two writes sums that the other has written, and neither is refused for it."""

    async def write(*names: str) -> None:
        async with database.transaction() as transaction:
            for name in names:
                await put(transaction, (NIGHT, name, names[0], 1))

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(write, "a", "b")
            nursery.start_soon(write, "b", "a")

    hours = [(row[2], row[4]) for row in await sums(database) if row[0] == "hour"]
    assert hours == [("a", 8), ("b", 8)]
