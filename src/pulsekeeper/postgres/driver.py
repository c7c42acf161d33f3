"""asyncpg behind one asyncio loop that runs inside Trio. The only module that knows either of the two.

A `Session` is one connection to the server. Each of its methods crosses into asyncio once, whatever it does there,
for a crossing costs about a third of a small statement. When a crossing is cancelled, asyncpg asks the server to stop
the statement and lets go at once; the session is then in doubt until `mend` has run.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import asyncpg  # type: ignore[import-untyped]  # ships no types
import structlog
import trio
import trio_asyncio  # type: ignore[import-untyped]  # ships no types

from pulsekeeper.errors import Invalid, Unavailable
from pulsekeeper.postgres.codecs import CODECS
from pulsekeeper.postgres.failures import TransactionConflict, failure

T = TypeVar("T")
_MEND = "rollback; close all; unlisten *; reset all; select pg_advisory_unlock_all()"
_CAUSES = (OSError, asyncpg.PostgresError, asyncpg.InternalClientError, asyncio.CancelledError)
_log = structlog.get_logger(__name__)


class Row(asyncpg.Record):  # type: ignore[misc]  # asyncpg ships no types
    """One row. Columns by name, `row["seen_at"]` or `row.seen_at`; `jsonb` is `bytes`, times are aware and in UTC.

    No column may be called `get`, `items`, `keys` or `values`: a row has methods of these names.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:  # the statement decides on the type, and no checker reads it
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class _Loop(Protocol):
    """The part of `trio_asyncio.TrioEventLoop` that is used here."""

    async def run_aio_coroutine(self, coro: Coroutine[object, object, T]) -> T: ...
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
            known = _meaning(error)
            if known is None:
                raise
            raise known from error

    async def connect(self, url: str, limit: float, statement_limit: float) -> "Session":
        """Open a session within `limit` seconds; each of its statements may take `statement_limit` seconds.

        Raises `Unavailable`, or `Invalid` for a URL that makes no sense.
        """
        with trio.move_on_after(limit):
            return Session(self, await self.cross(_connect(url)), statement_limit)
        raise Unavailable("The database did not accept a connection in time.", retry_after=1.0)


@asynccontextmanager
async def open_bridge() -> AsyncIterator[Bridge]:
    """An asyncio loop for as long as the block lasts."""
    async with trio_asyncio.open_loop() as loop:
        loop.set_exception_handler(_log_stray)
        yield Bridge(loop)


class Session:
    """One connection to the server, for one task at a time."""

    def __init__(self, bridge: Bridge, raw: asyncpg.Connection, statement_limit: float) -> None:
        self._bridge = bridge
        self._raw = raw
        self.statement_limit = statement_limit
        """Seconds that one statement may take."""
        self.idle_since = trio.current_time()
        self.ended = trio.Event()
        """Set when the connection is gone, whoever ended it."""
        raw.add_termination_listener(lambda _: self.ended.set())

    @property
    def is_closed(self) -> bool:
        """Whether the connection is known to be gone."""
        return bool(self._raw.is_closed())

    async def fetch(self, sql: str, args: Sequence[object] = ()) -> list[Row]:
        """All rows of one statement, which the server keeps prepared for this session."""
        rows: list[Row] = await self._run(self._raw.fetch(sql, *args))
        return rows

    async def execute(self, sql: str, args: Sequence[object] = ()) -> str:
        """Run one statement and give the server's tag, such as `UPDATE 3`. Without arguments it may be a script."""
        tag: str = await self._run(self._raw.execute(sql, *args))
        return tag

    async def prepare(self, sql: str) -> None:
        """Let the server parse and plan a statement against the schema as it is, without running it."""
        await self._run(self._raw.prepare(sql))

    async def copy_in(self, table: str, columns: Sequence[str], records: Iterable[Sequence[object]]) -> int:
        """Load rows by COPY, all or none. Gives their number."""
        tag: str = await self._run(self._raw.copy_records_to_table(table, columns=columns, records=records))
        return rows_in(tag)

    async def listen(self, channels: Sequence[str], heard: Callable[[str, str], None]) -> None:
        """Have `heard(channel, payload)` called for each notice; returns when the subscription is in force."""

        async def subscribe() -> None:
            for channel in channels:
                await self._raw.add_listener(channel, lambda _raw, _pid, channel, payload: heard(channel, payload))

        await self._run(subscribe())

    async def mend(self) -> None:
        """Wait until a cancelled statement is over, roll back, and forget everything that the session was told."""
        await self._run(self._raw.execute(_MEND))

    async def close(self) -> None:
        """Say goodbye to the server."""
        await self._run(self._raw.close())

    def terminate(self) -> None:
        """Drop the connection without waiting for anything."""
        self._raw.terminate()

    async def _run(self, work: Coroutine[object, object, T]) -> T:
        with trio.move_on_after(self.statement_limit):
            try:
                return await self._bridge.cross(work)
            except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
                if self.is_closed:  # it went between two steps of asyncpg's own, which then stumbles
                    raise Unavailable("The connection to the database is gone.", retry_after=1.0) from error
                raise
        raise Unavailable("The database did not answer in time.", retry_after=1.0)


def rows_in(tag: str) -> int:
    """The number of rows in a server's tag: 3 for `UPDATE 3` and for `INSERT 0 3`, 0 for `LISTEN`."""
    count = tag.rpartition(" ")[2]
    return int(count) if count.isdigit() else 0


async def _connect(url: str) -> asyncpg.Connection:
    settings = {"application_name": "pulsekeeper"}
    try:
        raw = await asyncpg.connect(url, record_class=Row, server_settings=settings)
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
    return raw


def _meaning(error: BaseException) -> Exception | None:
    """What a store can do with an error; None for a bug."""
    if isinstance(error, asyncpg.InvalidCachedStatementError | asyncpg.OutdatedSchemaCacheError):
        return TransactionConflict("The schema was changed under a prepared statement.")
    if isinstance(error, asyncpg.PostgresError):
        return failure(error.sqlstate, error.table_name, error.constraint_name)
    if isinstance(error, asyncpg.InternalClientError):
        return None
    return Unavailable("The database cannot be reached.", retry_after=1.0)


def _log_stray(_loop: object, context: Mapping[str, Any]) -> None:
    """Log what asyncio could tell nobody. trio-asyncio would end the whole service for it, over a lost connection."""
    error: BaseException | None = context.get("exception")
    _log.warning("asyncio_stray_error", message=str(context.get("message")), error=type(error).__name__)
