"""Waits for the database, and brings its schema up to date before anybody uses it."""

from typing import Never

import structlog
import trio

from pulsekeeper import errors
from pulsekeeper.actors.inbox import Inbox
from pulsekeeper.actors.restarts import Backoff
from pulsekeeper.clock import Clock
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.migrator import migrate, plan

_log = structlog.get_logger(__name__)

_BACKOFF = Backoff()


class Schema:
    """An actor that ends its work by setting `ready`, and then only waits to be stopped.

    An outage is waited out. A schema that contradicts the code is a crash: no retry can mend it, and the node must not
    serve.
    """

    def __init__(self, database: Database, clock: Clock, *, migrate_on_start: bool, ready: trio.Event) -> None:
        self._database = database
        self._clock = clock
        self._migrate_on_start = migrate_on_start
        self._ready = ready

    async def run(self, inbox: Inbox[Never]) -> None:
        """Nobody tells it anything: it reads its inbox to hear of the end."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._bring_up)
            async for _ in inbox:
                pass
            nursery.cancel_scope.cancel()

    async def _bring_up(self) -> None:
        attempts = 1
        while not await self._is_current():
            await trio.sleep(_BACKOFF.delay(attempts))
            attempts += 1
        self._ready.set()

    async def _is_current(self) -> bool:
        try:
            if self._migrate_on_start:
                for migration in await migrate(self._database, self._clock()):
                    _log.info("migrated", number=migration.number, name=migration.name)
                return True
            pending = await plan(self._database)
        except errors.Unavailable as outage:
            _log.warning("database_unavailable", reason=outage.detail)
            return False
        if pending:
            _log.warning("migrations_pending", count=len(pending))
        return not pending
