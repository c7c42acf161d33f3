"""The database as the house sees it: opened around the actor tree, used by every store."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from math import inf

import trio

from pulsekeeper.postgres.driver import Bridge, open_bridge
from pulsekeeper.postgres.embedded import embedded_server
from pulsekeeper.postgres.notices import Heard, Listener
from pulsekeeper.postgres.pool import Pool, Statistics
from pulsekeeper.postgres.session import Session
from pulsekeeper.postgres.settings import Settings
from pulsekeeper.postgres.statements import Statements
from pulsekeeper.postgres.transactions import Connection, Isolation, Transaction, begin, commit


class Database(Statements):
    """A pool of connections. A statement asked of it directly is a transaction of its own: the fastest way there is."""

    def __init__(self, bridge: Bridge, background: trio.Nursery, url: str, settings: Settings) -> None:
        self._background = background
        self._exit_limit = settings.exit_timeout.total_seconds()
        self._listen_check = settings.listen_check.total_seconds()
        self._statement_limit = settings.statement_timeout.total_seconds()
        self._connect = partial(bridge.connect, url, settings.connect_timeout.total_seconds())
        self._pool = Pool(partial(self._connect, self._statement_limit), background, settings)

    def _session(self) -> AbstractAsyncContextManager[Session]:
        return self._pool.session()

    @asynccontextmanager
    async def connection(self, *, patient: bool = False) -> AsyncIterator[Connection]:
        """One session for several statements, reset when the block ends. `patient`: no limit on its statements."""
        async with self._pool.session(lent=True) as session:
            session.statement_limit = inf if patient else self._statement_limit
            try:
                yield Connection(session, self._exit_limit)
            finally:
                session.statement_limit = self._statement_limit

    @asynccontextmanager
    async def transaction(self, isolation: Isolation | None = None) -> AsyncIterator[Transaction]:
        """Commits at the end of the block; an error or a cancellation rolls back, in the background.

        Nobody waits for that rollback: the caller that ran out of time can leave at once, and nothing of the
        transaction can be seen meanwhile. The commit is waited for, also by a caller that is cancelled.
        """
        async with self._pool.session() as session:
            await begin(session, isolation)
            yield Transaction(session)
            await commit(session, self._exit_limit)

    @asynccontextmanager
    async def listen(self, *channels: str) -> AsyncIterator[trio.MemoryReceiveChannel[Heard]]:
        """A stream of notices that waits out every outage, and says `MaybeMissed` first and after each interruption.

        It takes a connection of its own. A reader that is too slow finds `MaybeMissed` in place of what it did not
        read.
        """
        connect = partial(self._connect, self._listen_check)
        listener = Listener(connect, channels, self._listen_check)
        scope = trio.CancelScope()
        self._background.start_soon(listener.run, scope)
        try:
            yield listener.notices
        finally:
            scope.cancel()
            listener.notices.close()

    def statistics(self) -> Statistics:
        """How busy the pool is."""
        return self._pool.statistics()

    async def close(self) -> None:
        """Close every idle connection. Those that are still at work are dropped when they come back."""
        await self._pool.close()


@asynccontextmanager
async def open_database(settings: Settings, *, create: bool = True) -> AsyncIterator[Database]:
    """The database for as long as the block lasts. It does not have to be there yet, or all the time.

    Starts the embedded server when no URL is set, and stops it at the end. Without any data it makes a new database, or
    raises `NotFound` where it is not to `create` one.
    """
    if settings.url:
        async with _open(settings.url.reveal(), settings) as database:
            yield database
    else:
        async with embedded_server(settings.data_dir, create=create) as url, _open(url, settings) as database:
            yield database


@asynccontextmanager
async def _open(url: str, settings: Settings) -> AsyncIterator[Database]:
    with _without_wrapping():
        async with open_bridge() as bridge, AsyncExitStack() as last, trio.open_nursery() as background:
            database = Database(bridge, background, url, settings)
            last.push_async_callback(database.close)
            try:
                yield database
            finally:
                background.cancel_scope.cancel()


@contextmanager
def _without_wrapping() -> Iterator[None]:
    """Let a lone error out as it is: that there are nurseries around the block is nobody's business."""
    try:
        yield
    except BaseExceptionGroup as group:
        errors = [error for error in _leaves(group) if not isinstance(error, trio.Cancelled)] or [next(_leaves(group))]
        if len(errors) > 1:
            raise
    else:
        return
    context = errors[0].__context__
    try:
        raise errors[0]
    finally:
        errors[0].__context__ = context  # and not the group that it has just left


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
