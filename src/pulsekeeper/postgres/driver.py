"""The asyncio loop that runs inside Trio, and asyncpg on it.

`line` is the way past the loop; nobody above `session` knows of any of this.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import asyncpg  # type: ignore[import-untyped]  # ships no types
import structlog
import trio
import trio_asyncio  # type: ignore[import-untyped]  # ships no types

from pulsekeeper.errors import Invalid, Unavailable
from pulsekeeper.postgres.codecs import CODECS
from pulsekeeper.postgres.failures import TransactionConflict, failure
from pulsekeeper.postgres.line import Line
from pulsekeeper.postgres.rows import Row
from pulsekeeper.postgres.session import Session

T = TypeVar("T")
_STUMBLES = (asyncpg.InterfaceError, asyncpg.InternalClientError)
_CAUSES = (OSError, asyncpg.PostgresError, asyncio.CancelledError, *_STUMBLES)
_log = structlog.get_logger(__name__)


class _Loop(Protocol):
    """The part of `trio_asyncio.TrioEventLoop` that is used here."""

    async def run_aio_coroutine(self, coro: Coroutine[object, object, T]) -> T: ...
    def create_future(self) -> "asyncio.Future[Any]": ...
    def set_exception_handler(self, handler: Callable[[object, Mapping[str, Any]], None]) -> None: ...


class Bridge:
    """The way into asyncio. The loop is kept by hand: tasks of the actor tree do not inherit it from their context."""

    def __init__(self, loop: _Loop) -> None:
        self._loop = loop

    async def cross(self, work: Coroutine[object, object, T]) -> T:
        """Run one asyncio coroutine to its end. Cancelling the caller cancels it. Outages become `Unavailable`."""
        try:
            return await self._loop.run_aio_coroutine(work)
        except _CAUSES as error:
            known = self.meaning(error)
            if known is None:
                raise
            raise known from error

    def meaning(self, error: BaseException, *, is_closed: bool = False) -> Exception | None:
        """What a store can do with an error, of a connection that may be closed; None for a bug."""
        if isinstance(error, asyncpg.InvalidCachedStatementError | asyncpg.OutdatedSchemaCacheError):
            return TransactionConflict("The schema was changed under a prepared statement.")
        if isinstance(error, asyncpg.PostgresError):
            return failure(error.sqlstate, error.table_name, error.constraint_name)
        if isinstance(error, _STUMBLES):  # as it does when its connection goes between two of its steps
            return Unavailable("The connection to the database is gone.", retry_after=1.0) if is_closed else None
        return Unavailable("The database cannot be reached.", retry_after=1.0) if isinstance(error, _CAUSES) else None

    async def connect(self, url: str, limit: float, statement_limit: float) -> Session:
        """Open a session within `limit` seconds; each of its statements may take `statement_limit` seconds.

        Raises `Unavailable`, or `Invalid` for a URL that makes no sense.
        """
        line = Line(self._loop)
        with trio.move_on_after(limit):
            return Session(self, await self.cross(_connect(url, line)), line, statement_limit)
        raise Unavailable("The database did not accept a connection in time.", retry_after=1.0)


@asynccontextmanager
async def open_bridge() -> AsyncIterator[Bridge]:
    """An asyncio loop for as long as the block lasts."""
    async with trio_asyncio.open_loop() as loop:
        loop.set_exception_handler(_log_stray)
        yield Bridge(loop)


async def _connect(url: str, line: Line) -> asyncpg.Connection:
    settings = {"application_name": "pulsekeeper"}
    try:
        raw = await asyncpg.connect(url, loop=line, record_class=Row, server_settings=settings)
    except ValueError:
        # Without its cause: the message about a URL that is misread may hold a piece of the password.
        sentence = "The database's URL cannot be read. Are the special characters in it percent-encoded?"
        raise Invalid(sentence) from None
    try:
        for name, (to_wire, from_wire) in CODECS.items():
            await raw.set_type_codec(name, schema="pg_catalog", format="binary", encoder=to_wire, decoder=from_wire)
    except BaseException:
        raw.terminate()
        raise
    line.attach(raw)
    return raw


def _log_stray(_loop: object, context: Mapping[str, Any]) -> None:
    """Log what asyncio could tell nobody. trio-asyncio would end the whole service for it, over a lost connection."""
    error: BaseException | None = context.get("exception")
    _log.warning("asyncio_stray_error", message=str(context.get("message")), error=type(error).__name__)
