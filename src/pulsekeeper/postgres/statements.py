"""What can be asked of the database, in the same words on a pool, on one connection and inside a transaction."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import msgspec

from pulsekeeper.postgres.queries import Query
from pulsekeeper.postgres.rows import Row, rows_in
from pulsekeeper.postgres.session import Session

T = TypeVar("T")


class Statements(ABC):
    """The base of `Database`, `Connection` and `Transaction`: a store takes any of them.

    Every method raises `Unavailable` for an outage, `TransactionConflict` when another transaction was faster, a
    `ConstraintViolation` for a broken rule of the schema, and `TypeError` for parameters that do not fit the query.
    A write that is cancelled or `Unavailable` outside of a transaction may or may not have happened.
    """

    @abstractmethod
    def _session(self) -> AbstractAsyncContextManager[Session]:
        """The session that the next statement runs on."""

    async def fetch(self, query: Query, /, **params: object) -> list[Row]:
        """All rows."""
        args = query.bind(params)
        async with self._session() as session:
            return await session.fetch(query.sql, args)

    async def fetch_as(self, kind: type[T], query: Query, /, **params: object) -> list[T]:
        """All rows, each as a Struct with fields called like the columns; `ValidationError` when one does not fit."""
        rows = await self.fetch(query, **params)
        return [msgspec.convert(row, kind, from_attributes=True) for row in rows]

    async def fetch_value(self, query: Query, /, **params: object) -> Any:  # the statement decides on the type
        """The first column of the first row, or None when there is no row."""
        rows = await self.fetch(query, **params)
        return rows[0][0] if rows else None

    async def execute(self, query: Query, /, **params: object) -> int:
        """Run a statement for its effect. Gives the number of rows that it touched."""
        args = query.bind(params)
        async with self._session() as session:
            return rows_in(await session.execute(query.sql, args))

    async def copy_in(self, table: str, columns: Sequence[str], records: Iterable[Sequence[object]]) -> int:
        """Load rows by COPY, all or none. Gives their number."""
        async with self._session() as session:
            return await session.copy_in(table, columns, records)

    async def notify(self, channel: str, payload: str = "") -> None:
        """Tell all who listen on `channel`, in a transaction when it is committed. The payload is below 8000 bytes."""
        async with self._session() as session:
            await session.fetch("select pg_notify($1, $2)", (channel, payload))

    async def prepare(self, query: Query, /) -> None:
        """Have a statement parsed and planned against the schema as it is, without running it."""
        async with self._session() as session:
            await session.prepare(query.sql)
