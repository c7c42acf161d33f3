"""The ends of a transaction: they cannot be cancelled, and they cannot hang.

A cancellation that fell between the last statement and the answer to COMMIT would leave nobody knowing what happened.
So the end is shielded, and because a shield must not wait for a dead server, it has a limit, after which the
connection goes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from hashlib import sha256
from typing import Literal, Self

import trio

from pulsekeeper.errors import Unavailable
from pulsekeeper.postgres.queries import Query
from pulsekeeper.postgres.rows import Row
from pulsekeeper.postgres.session import Session
from pulsekeeper.postgres.statements import Statements

Isolation = Literal["read committed", "repeatable read", "serializable"]


class Cursor:
    """The rows of a query in lots, none of them empty: neither we nor the server ever hold all of them."""

    def __init__(self, session: Session, fetch: str) -> None:
        self._session = session
        self._fetch = fetch

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Row]:
        rows = await self._session.fetch(self._fetch)
        if not rows:
            raise StopAsyncIteration
        return rows


class Transaction(Statements):
    """What happens here happens together or not at all.

    After an error it can only end. Settings and locks that should end with it are `set local` and
    `pg_advisory_xact_lock`: the session is used again without being reset.
    """

    def __init__(self, session: Session) -> None:
        self._raw = session

    def _session(self) -> nullcontext[Session]:
        return nullcontext(self._raw)

    async def run_script(self, sql: str) -> None:
        """Run any number of statements that take no parameters. They may not end the transaction themselves."""
        await self._raw.execute(sql)

    async def cursor(self, query: Query, /, size: int, **params: object) -> Cursor:
        """The rows as they are at this moment, to be read `size` at a time, for as long as the transaction lasts.

        A query can have one cursor in a transaction. Raises like `fetch`, now and at each lot.
        """
        # A connection keeps the statement FETCH, with the columns that it had the first time, under its text. So the
        # text is the same where the query is the same, and only there.
        name = f"cursor_{sha256(query.sql.encode()).hexdigest()[:16]}"
        await self._raw.execute(f"declare {name} no scroll cursor for {query.sql}", query.bind(params))
        return Cursor(self._raw, f"fetch forward {size:d} from {name}")


class Connection(Statements):
    """One session for several statements: for locks and settings that live as long as the block."""

    def __init__(self, session: Session, exit_limit: float) -> None:
        self._raw = session
        self._exit_limit = exit_limit

    def _session(self) -> nullcontext[Session]:
        return nullcontext(self._raw)

    async def run_script(self, sql: str) -> None:
        """Run any number of statements that take no parameters, together as one transaction."""
        await self._raw.execute(sql)

    @asynccontextmanager
    async def transaction(self, isolation: Isolation | None = None) -> AsyncIterator[Transaction]:
        """Commits at the end of the block, and rolls back before an error leaves it."""
        await begin(self._raw, isolation)
        try:
            yield Transaction(self._raw)
        except BaseException:
            await rollback(self._raw, self._exit_limit)
            raise
        await commit(self._raw, self._exit_limit)


async def begin(session: Session, isolation: Isolation | None) -> None:
    """Open a transaction; None leaves the isolation to the server, as a rule `read committed`."""
    await session.execute(f"begin isolation level {isolation}" if isolation else "begin")


async def commit(session: Session, limit: float) -> None:
    """Commit within `limit` seconds. After `Unavailable` nobody knows whether it was committed.

    Raises `RuntimeError` when a statement had failed and its error was swallowed: the server rolls back then, in
    silence.
    """
    with trio.move_on_after(limit, shield=True):
        tag = await session.execute("commit")
        if tag != "COMMIT":
            raise RuntimeError("a statement of this transaction had failed, so that all of it was rolled back")
        return
    session.terminate()
    raise Unavailable("The database did not confirm the commit in time.", retry_after=1.0)


async def rollback(session: Session, limit: float) -> None:
    """Roll back within `limit` seconds, or drop the connection, which has the same effect."""
    with trio.move_on_after(limit, shield=True), suppress(Unavailable):
        await session.execute("rollback")
        return
    session.terminate()
