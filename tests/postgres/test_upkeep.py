"""Turns at the upkeep: one node at a time, room by room."""

from datetime import UTC, datetime

import pytest
import trio
from msgspec import Struct

from pulsekeeper.errors import Unavailable
from pulsekeeper.postgres import upkeep
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.transactions import Connection
from pulsekeeper.postgres.upkeep import in_batches, take_turn, turns
from tests.support.postgres import ping
from tests.support.waiting import all_idle

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


class Done(Struct, frozen=True):
    """What a run has done."""

    room: str


class Room:
    """An upkeep that takes until it is told to end, and then fails if it should."""

    def __init__(self, name: str = "one", failure: Exception | None = None) -> None:
        self.name = name
        self.failure = failure
        self.begun = trio.Event()
        self.may_end = trio.Event()

    async def __call__(self, connection: Connection, now: datetime) -> Done:
        assert now == NOW
        await ping(connection)
        self.begun.set()
        await self.may_end.wait()
        if self.failure:
            raise self.failure
        return Done(self.name)


def ending(name: str = "one", failure: Exception | None = None) -> Room:
    """One that ends at once."""
    room = Room(name, failure)
    room.may_end.set()
    return room


async def test_while_one_node_is_at_it_the_others_pass(database: Database) -> None:
    busy = Room()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(take_turn, database, "decisions", busy, NOW)
        await busy.begun.wait()
        passed = await take_turn(database, "decisions", ending(), NOW)
        busy.may_end.set()

    assert passed is None
    assert await take_turn(database, "decisions", ending(), NOW) == Done("one")


async def test_every_room_has_turns_of_its_own(database: Database) -> None:
    busy = Room()
    rooms = turns(database, {"decisions": busy, "sessions": ending("two")})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rooms["decisions"], NOW)
        await busy.begun.wait()
        done = await rooms["sessions"](NOW)
        busy.may_end.set()

    assert done == Done("two")


@pytest.mark.parametrize("failure", [RuntimeError("denied"), Unavailable("gone")])
async def test_after_a_failure_the_turn_is_the_next_ones(failure: Exception, database: Database) -> None:
    with pytest.raises(type(failure)):
        await take_turn(database, "decisions", ending(failure=failure), NOW)
    await all_idle(database)

    assert await take_turn(database, "decisions", ending("two"), NOW) == Done("two")


async def test_batches_end_with_the_first_one_that_finds_nothing() -> None:
    batches = [2, 3, 0, 4]

    async def delete(before: datetime) -> int:
        assert before == NOW
        return batches.pop(0)

    assert await in_batches(delete, NOW) == 5
    assert batches == [4]


async def test_there_is_an_end_to_the_batches_of_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_MOST_BATCHES", 3)

    async def delete(_: datetime) -> int:
        return 10

    assert await in_batches(delete, NOW) == 30
