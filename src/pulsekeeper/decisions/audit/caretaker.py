"""The actor that keeps the tables in order: when the schema is there, and then every hour."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Never

import msgspec
import structlog
import trio

from pulsekeeper import errors
from pulsekeeper.actors.inbox import Inbox
from pulsekeeper.clock import Clock
from pulsekeeper.decisions.audit.maintenance import Upkeep

_log = structlog.get_logger(__name__)

INTERVAL = 3600.0
"""Seconds between two runs. Other nodes run as well: the database lets one of them work at a time."""
RETRY = 60.0
"""Seconds until another try after an outage."""

Maintain = Callable[[datetime], Awaitable[Upkeep | None]]
"""Does what is due; `None` when another node is at it."""


class Caretaker:
    """Outages are waited out, and failures logged: whatever was not done is done the next time."""

    def __init__(self, maintain: Maintain, clock: Clock, schema_ready: trio.Event) -> None:
        self._maintain = maintain
        self._clock = clock
        self._schema_ready = schema_ready

    async def run(self, inbox: Inbox[Never]) -> None:
        """Nobody tells it anything: it reads its inbox to hear of the end, which cuts a run short."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._take_care)
            async for _ in inbox:
                pass
            nursery.cancel_scope.cancel()

    async def _take_care(self) -> None:
        await self._schema_ready.wait()
        while True:
            wait = await self._maintain_or_retry()
            await trio.sleep(wait)

    async def _maintain_or_retry(self) -> float:
        """Gives the seconds until the next run."""
        try:
            with trio.fail_after(INTERVAL):
                done = await self._maintain(self._clock())
        except (errors.Unavailable, errors.Conflict, trio.TooSlowError) as reason:
            _log.warning("not_maintained", reason=str(reason) or "it took too long")
            return RETRY
        except Exception:  # a role that may not drop tables, say: no reason to stop a node that decides well
            _log.exception("maintenance_failed")
            return INTERVAL
        if done is not None:
            _log.info("maintained", **msgspec.to_builtins(done))
        return INTERVAL
