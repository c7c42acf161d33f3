"""The actor that keeps the roll-ups up to date: at every interval, and when it is asked."""

import structlog
import trio

from pulsekeeper import errors
from pulsekeeper.actors.inbox import Inbox
from pulsekeeper.actors.question import Question
from pulsekeeper.clock import Clock
from pulsekeeper.postgres.database import Database
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.usage.bookkeeping import bring_up_to_date
from pulsekeeper.sessions.usage.rollups import Accounted

_log = structlog.get_logger(__name__)

_LONGEST = 600.0
"""Seconds that one run may take: it is a matter of seconds."""


class Account(Question[Accounted]):
    """Bring the roll-ups up to date now. Answered when it is done, as far as one run goes.

    Where another node is at it, nothing is done here. Fails with `errors.Unavailable` during an outage.
    """


class Accountant:
    """Outages are waited out, and failures logged: whatever was not done is done the next time."""

    def __init__(self, database: Database, settings: Settings, clock: Clock, schema_ready: trio.Event) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._schema_ready = schema_ready
        self._working = trio.Lock()
        self._is_failing = False

    async def run(self, inbox: Inbox[Account]) -> None:
        """Work until the inbox ends, which cuts a run short: nothing is lost by that."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_up)
            async for question in inbox:
                await self._answer(question)
            nursery.cancel_scope.cancel()

    async def _answer(self, question: Account) -> None:
        try:
            question.reply(await self._bring_up_to_date())
        except (errors.Unavailable, errors.Conflict) as outage:
            question.fail(errors.Unavailable(outage.detail))

    async def _keep_up(self) -> None:
        await self._schema_ready.wait()
        while True:
            is_done = await self._try_to_keep_up()
            await trio.sleep(self._settings.rollup_interval.total_seconds() if is_done else 0)

    async def _try_to_keep_up(self) -> bool:
        """False when there is more to do at once. An outage is said once, when it begins, and once when it is over."""
        try:
            accounted = await self._bring_up_to_date()
        except (errors.Unavailable, errors.Conflict) as reason:
            if not self._is_failing:
                _log.warning("not_accounted", reason=str(reason))
            self._is_failing = True
            return True
        except Exception:  # a row that nobody can read, say: no reason to stop a node that takes events well
            _log.exception("accounting_failed")
            return True
        if self._is_failing:
            _log.info("accounting_again")
        self._is_failing = False
        return accounted.is_done

    async def _bring_up_to_date(self) -> Accounted:
        async with self._working:
            with trio.move_on_after(_LONGEST):
                done = await bring_up_to_date(self._database, self._settings, self._clock())
                return Accounted() if done is None else done
        raise errors.Unavailable("Bringing the roll-ups up to date took too long.")
