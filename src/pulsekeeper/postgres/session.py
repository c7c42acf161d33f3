"""One connection to the server, as the pool and the transactions know it.

Its statements take the straight way past asyncio where there is one, and what cannot crosses into asyncio once,
whatever it does there. Either way, when a statement is cancelled, asyncpg asks the server to stop it and lets go at
once; the session is then in doubt until `mend` has run.
"""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol, TypeVar

import trio

from pulsekeeper.errors import Unavailable
from pulsekeeper.postgres.line import Line
from pulsekeeper.postgres.rows import Row, rows_in

T = TypeVar("T")
_MEND = "rollback; close all; unlisten *; reset all; select pg_advisory_unlock_all()"


class _Bridge(Protocol):
    """The part of the driver's bridge that a session uses."""

    async def cross(self, work: Coroutine[object, object, T]) -> T: ...
    def meaning(self, error: BaseException, *, is_closed: bool = False) -> Exception | None: ...


class Session:
    """One connection to the server, for one task at a time."""

    def __init__(self, bridge: _Bridge, raw: Any, line: Line, statement_limit: float) -> None:
        self._bridge = bridge
        self._raw = raw
        self._line = line
        self.statement_limit = statement_limit
        """Seconds that one statement may take."""
        self.idle_since = trio.current_time()
        self.ended = trio.Event()
        """Set when the connection is known to be gone, whoever ended it."""
        raw.add_termination_listener(lambda _: self.ended.set())

    @property
    def is_closed(self) -> bool:
        """Whether the connection is known to be gone."""
        return bool(self._raw.is_closed())

    def look(self) -> bool:
        """Take in what the server said while the session was idle. Gives whether it can be used."""
        self._line.catch_up()
        return not self._raw.is_closed()

    async def fetch(self, sql: str, args: Sequence[object] = ()) -> list[Row]:
        """All rows of one statement, which the server keeps prepared for this session."""
        rows: list[Row] = await self._ask(self._raw.fetch, sql, *args)
        return rows

    async def execute(self, sql: str, args: Sequence[object] = ()) -> str:
        """Run one statement and give the server's tag, such as `UPDATE 3`. Without arguments it may be a script."""
        tag: str = await self._ask(self._raw.execute, sql, *args)
        return tag

    async def prepare(self, sql: str) -> None:
        """Let the server parse and plan a statement against the schema as it is, without running it."""
        await self._ask(self._raw.prepare, sql)

    async def copy_in(self, table: str, columns: Sequence[str], records: Iterable[Sequence[object]]) -> int:
        """Load rows by COPY, all or none. Gives their number."""
        tag: str = await self._cross(self._raw.copy_records_to_table(table, columns=columns, records=records))
        return rows_in(tag)

    async def listen(self, channels: Sequence[str], heard: Callable[[str, str], None]) -> None:
        """Have `heard(channel, payload)` called for each notice; returns when the subscription is in force."""

        async def subscribe() -> None:
            for channel in channels:
                await self._raw.add_listener(channel, lambda _raw, _pid, channel, payload: heard(channel, payload))

        self._line.go_by_loop(for_good=True)
        await self._cross(subscribe())

    async def mend(self) -> None:
        """Wait until a cancelled statement is over, roll back, and forget everything that the session was told."""
        await self._ask(self._raw.execute, _MEND)

    async def close(self) -> None:
        """Say goodbye to the server."""
        await self._cross(self._raw.close())

    def terminate(self) -> None:
        """Drop the connection without waiting for anything."""
        self._raw.terminate()

    async def _ask(self, method: Callable[..., Coroutine[object, object, T]], *args: object) -> T:
        if not self._line.go_straight():
            return await self._cross(method(*args))
        with trio.CancelScope(deadline=trio.current_time() + self.statement_limit):
            await trio.lowlevel.checkpoint_if_cancelled()  # or it would have to be stopped as soon as it is asked
            try:
                return await method(*args)
            except Exception as error:
                self._explain(error)
                raise
        raise _too_late()

    async def _cross(self, work: Coroutine[object, object, T]) -> T:
        self._line.go_by_loop()
        with trio.move_on_after(self.statement_limit):
            try:
                return await self._bridge.cross(work)
            except Exception as error:
                self._explain(error)
                raise
        raise _too_late()

    def _explain(self, error: Exception) -> None:
        """Raise what a store can do with it; return when the error should stay what it is."""
        known = self._bridge.meaning(error, is_closed=self.is_closed)
        if known is not None:
            raise known from error


def _too_late() -> Unavailable:
    return Unavailable("The database did not answer in time.", retry_after=1.0)
