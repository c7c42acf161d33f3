"""The actor that keeps the tables of all rooms in order: when the schema is there, and then every hour."""

from collections.abc import Mapping
from functools import partial
from typing import Never

import msgspec
import structlog
import trio

from pulsekeeper import errors
from pulsekeeper.actors.inbox import Inbox, work_until_end
from pulsekeeper.clock import Clock
from pulsekeeper.postgres.upkeep import Turn

_log = structlog.get_logger(__name__)

INTERVAL = 3600.0
"""Seconds between two runs. Other nodes run as well: the database lets one of them work at a time."""
RETRY = 60.0
"""Seconds until another try after an outage."""


class Caretaker:
    """Outages are waited out, and failures logged: whatever was not done is done the next time.

    Every room has its own hours: where one fails, or takes its time, the others do not notice.
    """

    def __init__(self, rooms: Mapping[str, Turn], clock: Clock, schema_ready: trio.Event) -> None:
        self._rooms = rooms
        self._clock = clock
        self._schema_ready = schema_ready

    async def run(self, inbox: Inbox[Never]) -> None:
        """Nobody tells it anything: it reads its inbox to hear of the end, which cuts a run short."""
        await work_until_end(inbox, *(partial(self._take_care, room, turn) for room, turn in self._rooms.items()))

    async def _take_care(self, room: str, turn: Turn) -> None:
        await self._schema_ready.wait()
        while True:
            wait = await self._maintain_or_retry(room, turn)
            await trio.sleep(wait)

    async def _maintain_or_retry(self, room: str, turn: Turn) -> float:
        """Gives the seconds until the next run."""
        try:
            with trio.fail_after(INTERVAL):
                done = await turn(self._clock())
        except (errors.Unavailable, errors.Conflict, trio.TooSlowError) as reason:
            _log.warning("not_maintained", room=room, reason=str(reason) or "it took too long")
            return RETRY
        except Exception:  # a role that may not drop tables, say: no reason to stop a node that works well
            _log.exception("maintenance_failed", room=room)
            return INTERVAL
        if done is not None:
            _log.info("maintained", room=room, **msgspec.to_builtins(done))
        return INTERVAL
