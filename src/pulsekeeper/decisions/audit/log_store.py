"""The log of decisions as auditors read it, and the rules that they were made by."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import trio

from pulsekeeper import errors
from pulsekeeper.decisions.audit.replay import Logged
from pulsekeeper.decisions.records import Identity
from pulsekeeper.decisions.rules.book import RuleBook, open_book
from pulsekeeper.ids import made_at
from pulsekeeper.postgres import queries
from pulsekeeper.postgres.rows import Row
from pulsekeeper.postgres.statements import Statements

_Q = queries.load("pulsekeeper.decisions")

EVER = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER, _LAST_ID = datetime(9999, 1, 1, tzinfo=UTC), UUID(int=(1 << 128) - 1)
_MILLISECOND = timedelta(milliseconds=1)
_UUID_WITH_A_TIME = 7
_PAGE = 500
_OPEN_BOOKS = 8
_identities = msgspec.json.Decoder(Identity)
_reasons = msgspec.json.Decoder(dict[str, str])


class LogStore:
    """The log, to be read. Every method raises `errors.Unavailable` when the database is away."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def decision(self, decision_id: UUID) -> Logged:
        """One decision. Raises `errors.NotFound`. Its id tells when it was made, so only that day is looked at."""
        made = _made_at(decision_id)
        if made is not None:
            found = {"decision_id": decision_id, "at": made, "until": made + _MILLISECOND}
            for row in await self._statements.fetch(_Q.logged_decision, **found):
                return logged(row)
        raise errors.NotFound(f"There is no decision {decision_id} in the log.")

    async def count(self, since: datetime) -> int:
        """How many decisions were made since then."""
        count: int = await self._statements.fetch_value(_Q.count_logged, since=since)
        return count

    async def pages(self, since: datetime, most: int) -> AsyncIterator[list[Logged]]:
        """The decisions since then, the newest first and `most` at most, some hundred at a time."""
        before, before_id = _NEVER, _LAST_ID
        while most > 0:
            place = {"since": since, "before": before, "before_id": before_id}
            rows = await self._statements.fetch(_Q.logged_page, **place, limit=min(most, _PAGE))
            if not rows:
                return
            page = [logged(row) for row in rows]
            yield page
            before, before_id, most = page[-1].decided_at, page[-1].decision_id, most - len(page)


class BookStore:
    """Every version of the rules, opened again; the ones used last stay open."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._open: OrderedDict[str, RuleBook] = OrderedDict()

    async def book(self, digest: str) -> RuleBook:
        """The rules with this hash. Raises `errors.NotFound`."""
        book = self._open.get(digest) or await self._read(digest)
        self._open[digest] = book
        self._open.move_to_end(digest)
        if len(self._open) > _OPEN_BOOKS:
            self._open.popitem(last=False)
        return book

    async def _read(self, digest: str) -> RuleBook:
        content: str | None = await self._statements.fetch_value(_Q.rule_book_content, hash=digest)
        if content is None:
            raise errors.NotFound(f"There is no version {digest} of the rules.")
        return await trio.to_thread.run_sync(
            open_book, content.encode()
        )  # compiling hundreds of campaigns takes a while


def logged(row: Row) -> Logged:
    """A row of the log, as all statements select it."""
    return Logged(
        decision_id=row["decision_id"],
        decided_at=row["decided_at"],
        person_key=row["person_key"],
        identity=_identities.decode(row["identity"]),
        rule_book=row["rule_book"],
        request=msgspec.Raw(row["request"]),
        state_before=None if row["state_before"] is None else msgspec.Raw(row["state_before"]),
        reply=msgspec.Raw(row["reply"]),
        reasons=_reasons.decode(row["reasons"]),
    )


def _made_at(decision_id: UUID) -> datetime | None:
    """When it was made; `None` for ids that we would not have given."""
    try:
        return made_at(decision_id) if decision_id.version == _UUID_WITH_A_TIME else None
    except OverflowError:
        return None
