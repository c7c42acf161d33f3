"""The actor that ends sessions which have fallen silent, at their last sign of life.

It sleeps until the first of the open sessions is due. A sweep is a few bounded statements that pass over the rows which
somebody else is at, so any number of nodes may sweep at the same time.
"""

from datetime import datetime

import structlog
import trio

from pulsekeeper import errors
from pulsekeeper.actors.inbox import Inbox
from pulsekeeper.actors.question import Question
from pulsekeeper.clock import Clock
from pulsekeeper.postgres.failures import TransactionConflict
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.numbers import Numbers
from pulsekeeper.sessions.records import Swept
from pulsekeeper.sessions.store import SessionStore

_log = structlog.get_logger(__name__)

LOT = 2_000
"""Sessions in one statement: it takes some tens of milliseconds, in which their rows are held."""
REST = 1.0
"""Seconds from one sweep to the next at least: what falls due meanwhile is swept together, and rows that were passed
over are tried again."""
_LONGEST_PAUSE = 30.0
"""Seconds until another try after an outage. The first comes after `REST`, and each waits twice as long."""


class Sweep(Question[Swept]):
    """Sweep now, until nothing is due. Answered with what was done; fails with `errors.Unavailable`."""


class Reaper:
    """Keeps nothing in memory: what is due is asked of the database."""

    def __init__(
        self, store: SessionStore, settings: Settings, clock: Clock, numbers: Numbers, schema_ready: trio.Event
    ) -> None:
        """Nothing is swept before `schema_ready`."""
        self._store = store
        self._longest_sleep = min(settings.timeout, settings.max_length).total_seconds()
        self._clock = clock
        self._numbers = numbers
        self._schema_ready = schema_ready
        self._sweeping = trio.Lock()

    async def run(self, inbox: Inbox[Sweep]) -> None:
        """Sweep when it is time, and whenever it is asked to, until the inbox ends."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_sweeping)
            async for question in inbox:
                await self._answer(question)
            nursery.cancel_scope.cancel()

    async def _answer(self, question: Sweep) -> None:
        if not self._schema_ready.is_set():
            question.fail(errors.Unavailable("the database is not ready yet", retry_after=1.0))
            return
        try:
            question.reply(await self._sweep())
        except errors.Unavailable as outage:
            question.fail(outage)

    async def _keep_sweeping(self) -> None:
        await self._schema_ready.wait()
        pause = REST
        while True:
            try:
                await self._sweep()
                wait = await self._time_until_due()
            except errors.Unavailable as outage:
                if pause == REST:
                    _log.warning("not_swept", reason=outage.detail)
                wait, pause = pause, min(2 * pause, _LONGEST_PAUSE)
            else:
                pause = REST
            await trio.sleep(wait)

    async def _sweep(self) -> Swept:
        """Lot after lot, until nothing is due but what somebody else is at."""
        done = Swept(ended=0, put_off=0)
        async with self._sweeping:  # who asks while a sweep is under way is told what was left to be done
            while True:
                swept = await self._sweep_lot(self._clock())
                done = Swept(done.ended + swept.ended, done.put_off + swept.put_off, done.overlong + swept.overlong)
                if swept.ended + swept.put_off < LOT:
                    break
        if done.ended:
            _log.info("sessions_reaped", ended=done.ended, put_off=done.put_off)
        return done

    async def _sweep_lot(self, now: datetime) -> Swept:
        try:
            swept = await self._store.sweep(now, LOT)
        except TransactionConflict:
            return Swept(ended=0, put_off=0)  # as if the rows were somebody else's: the next sweep finds them
        self._numbers.reaped(swept)
        return swept

    async def _time_until_due(self) -> float:
        """Seconds until the next sweep. A session that begins meanwhile is not due before the longest sleep is over."""
        due = await self._store.next_check()
        if due is None:
            return self._longest_sleep
        return min(max((due - self._clock()).total_seconds(), REST), self._longest_sleep)
