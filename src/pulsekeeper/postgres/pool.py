"""A bounded set of sessions, shared by all tasks of the node.

Taking a free session and putting it back never leaves Trio and never waits, where asyncpg's own pool would spend a
round trip on resetting it. That is safe because of one rule: a session is put back as it is only after work that
leaves nothing behind, which is a statement of its own or a transaction that was committed. After anything else, be it
an error, a cancellation or a session lent out whole, it is mended in the background first, so that nobody waits for
that either.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf

import msgspec
import trio

from pulsekeeper.errors import PulsekeeperError, Unavailable
from pulsekeeper.postgres.session import Session
from pulsekeeper.postgres.settings import Settings

_GOODBYE = 2.0
"""Seconds that all sessions together may take to close politely."""


class Statistics(msgspec.Struct, frozen=True):
    """The pool at one moment, in sessions, except for `waiting`, which counts tasks."""

    limit: int
    idle: int
    busy: int
    """At work, connecting, or being mended."""
    waiting: int


class Loan:
    """The block for which a task has a session. Not a generator: it would cost as much as sending the statement."""

    __slots__ = ("_lent", "_pool", "_session")

    def __init__(self, pool: "Pool", lent: bool) -> None:
        self._pool = pool
        self._lent = lent

    async def __aenter__(self) -> Session:
        self._session = await self._pool.take()
        return self._session

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.take_back(self._session, clean=kind is None and not self._lent)


class Pool:
    """Opens sessions when they are needed, never ahead: a database that is away costs nothing until somebody asks."""

    def __init__(self, connect: Callable[[], Awaitable[Session]], background: trio.Nursery, settings: Settings) -> None:
        self._connect = connect
        self._background = background
        self._size = settings.pool_size
        self._acquire_limit = settings.acquire_timeout.total_seconds()
        self._idle_limit = settings.idle_timeout.total_seconds()
        self._mend_limit = settings.exit_timeout.total_seconds()
        self._free = trio.Semaphore(self._size, max_value=self._size)
        self._idle: deque[Session] = deque()  # the right end was used last, and is used next
        self._closing = False

    def session(self, *, lent: bool = False) -> "Loan":
        """A session for this task alone. `lent` when its user may tell it things that would outlive the block.

        Raises `Unavailable` when none becomes free in time, or when a new one cannot be opened.
        """
        return Loan(self, lent)

    async def take(self) -> Session:
        """A session for a block to come; see `session`."""
        await self._wait_for_turn()
        try:
            return self._last_used() or await self._connect()
        except BaseException:  # also when cancelled: a place that nobody gives back is lost
            self._free.release()
            raise

    def take_back(self, session: Session, *, clean: bool) -> None:
        """The session after its block. Unless it is `clean`, nobody gets it before it has been mended."""
        if clean or session.is_closed:
            self._put_back(session)
        else:
            self._background.start_soon(self._mend, session)

    def statistics(self) -> Statistics:
        """How busy the pool is."""
        waiting = self._free.statistics().tasks_waiting
        return Statistics(self._size, len(self._idle), self._size - self._free.value, waiting)

    async def close(self) -> None:
        """Close what is idle, politely but not for long, and not at all for a caller that is cancelled already.

        What is busy is dropped when it comes back.
        """
        self._closing = True
        hurried = trio.current_effective_deadline() == -inf
        with trio.move_on_after(0 if hurried else _GOODBYE, shield=True):
            async with trio.open_nursery() as nursery:
                for session in self._idle:
                    nursery.start_soon(_say_goodbye, session)
        while self._idle:
            self._idle.pop().terminate()

    async def _wait_for_turn(self) -> None:
        try:
            self._free.acquire_nowait()
        except trio.WouldBlock:
            with trio.move_on_after(self._acquire_limit) as scope:
                await self._free.acquire()
            if scope.cancelled_caught:
                raise Unavailable("All connections to the database are busy.", retry_after=1.0) from None

    def _last_used(self) -> Session | None:
        oldest = trio.current_time() - self._idle_limit
        while self._idle and self._idle[0].idle_since < oldest:
            self._idle.popleft().terminate()
        while self._idle:
            session = self._idle.pop()
            if session.look():
                return session
        return None

    def _put_back(self, session: Session) -> None:
        if self._closing:
            session.terminate()
        elif not session.is_closed:
            session.idle_since = trio.current_time()
            self._idle.append(session)
        self._free.release()

    async def _mend(self, session: Session) -> None:
        mended = False
        try:
            with trio.move_on_after(self._mend_limit), suppress(PulsekeeperError):
                await session.mend()
                mended = True
        finally:
            if not mended:
                session.terminate()
            self._put_back(session)


async def _say_goodbye(session: Session) -> None:
    with suppress(Unavailable):
        await session.close()
