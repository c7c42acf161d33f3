"""What rooms have done to their tables now and then, one node at a time: bounded, and harmless to do twice."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial

from msgspec import Struct

from pulsekeeper.postgres import queries
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.transactions import Connection

_Q = queries.load("pulsekeeper.postgres")

_MOST_BATCHES = 1000
"""Of anything, in one run. What is left then is left to the next one."""

Upkeep = Callable[[Connection, datetime], Awaitable[Struct]]
"""What a room wants to have done, on a connection whose statements may take their time. Gives what was done.

Its fields are logged and printed as they are called (`made`, `sessions_deleted`). Each is names, a number, or whether.
"""

Turn = Callable[[datetime], Awaitable[Struct | None]]
"""Does a room's upkeep; `None` when another node is at it."""


def turns(database: Database, rooms: Mapping[str, Upkeep]) -> dict[str, Turn]:
    """The upkeep of every room, each in a turn of its own: what keeps one of them busy, or fails, is only its own."""
    return {room: partial(take_turn, database, room, upkeep) for room, upkeep in rooms.items()}


async def take_turn(database: Database, room: str, upkeep: Upkeep, now: datetime) -> Struct | None:
    """Do a room's upkeep, unless another node is at it: `None` then.

    Raises what `upkeep` raises, and `errors.Unavailable`. After an error the connection lets go of the turn by itself,
    a moment later.
    """
    async with database.connection(patient=True) as connection:
        if not await connection.fetch_value(_Q.take_turn_at_upkeep, room=room):
            return None
        done = await upkeep(connection, now)
        await connection.fetch_value(_Q.end_turn_at_upkeep, room=room)
        return done


async def in_batches(delete: Callable[[datetime], Awaitable[int]], before: datetime) -> int:
    """Have one batch deleted after the other, until one finds nothing. Gives the number of all."""
    total = 0
    for _ in range(_MOST_BATCHES):
        deleted = await delete(before)
        if deleted == 0:
            break
        total += deleted
    return total
