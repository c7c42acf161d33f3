"""What is known of people, and what was decided for them, in PostgreSQL."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import msgspec

from pulsekeeper import errors
from pulsekeeper.decisions.records import Committed, Stored, Write
from pulsekeeper.postgres import queries
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.driver import Row
from pulsekeeper.postgres.statements import Statements

_Q = queries.load("pulsekeeper.decisions")


class Logged(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A decision as the log has it."""

    decision_id: UUID
    decided_at: datetime
    person_key: str
    """The pseudonym."""
    rule_book: str
    """The hash of the rules that it was made by."""
    request: msgspec.Raw
    state_before: msgspec.Raw | None
    reply: msgspec.Raw
    """As it was answered, to the byte."""
    reasons: dict[str, str]
    """Each campaign, with the rule that refused it or the reason why it was shown."""


class DecisionStore:
    """The tables of visitors and decisions. Every method raises `errors.Unavailable` when the database is away."""

    def __init__(self, database: Database, within: Statements | None = None) -> None:
        """`within` is a transaction of the same database, where the statements are part of one."""
        self._database = database
        self._statements = within or database

    async def recall(self, person_keys: Sequence[str]) -> dict[str, Stored]:
        """What is known of these people; who was never here is not in it."""
        return _stored(await self._statements.fetch(_Q.recall_visitors, keys=person_keys))

    @asynccontextmanager
    async def holding(self, person_keys: Sequence[str]) -> AsyncIterator[tuple["DecisionStore", dict[str, Stored]]]:
        """What is known of these people, and a store that writes them before anybody else can.

        What is written in the block is committed when it ends.
        """
        async with self._database.transaction() as transaction:
            known = _stored(await transaction.fetch(_Q.recall_and_hold_visitors, keys=person_keys))
            yield DecisionStore(self._database, transaction), known

    async def put_visitor(self, person_key: str, last_seen_at: datetime, state: bytes) -> None:
        """Write a person's state whatever it was before."""
        await self._statements.execute(_Q.put_visitor, key=person_key, last_seen_at=last_seen_at, state=state)

    async def commit(self, writes: Sequence[Write], *, revision: int, rule_book: str, now: datetime) -> Committed:
        """Write a batch in one statement, where nothing has changed since it was read."""
        log = [(write.person_key, row) for write in writes for row in write.log]
        [result] = await self._statements.fetch(
            _Q.commit_decisions,
            revision=revision,
            rule_book=rule_book,
            now=now,
            keys=[write.person_key for write in writes],
            seen_versions=[write.seen_version for write in writes],
            new_versions=[write.new_version for write in writes],
            last_seen_ats=[write.last_seen_at for write in writes],
            states=[write.state for write in writes],
            decision_ids=[row.decision_id for _, row in log],
            people=[key for key, _ in log],
            requests=[row.request for _, row in log],
            states_before=[row.state_before for _, row in log],
            replies=[row.reply for _, row in log],
            reasons=[row.reasons for _, row in log],
        )
        return Committed(result["is_current"], frozenset(result["saved"]))

    async def decision(self, decision_id: UUID) -> Logged:
        """One row of the log. Raises `errors.NotFound`."""
        rows = await self._statements.fetch(_Q.decision, decision_id=decision_id)
        if not rows:
            raise errors.NotFound(f"there is no decision {decision_id} in the log")
        return _logged(rows[0])


def _stored(rows: Iterable[Row]) -> dict[str, Stored]:
    return {row["person_key"]: Stored(row["version"], row["state"]) for row in rows}


def _logged(row: Row) -> Logged:
    return Logged(
        decision_id=row["decision_id"],
        decided_at=row["decided_at"],
        person_key=row["person_key"],
        rule_book=row["rule_book"],
        request=msgspec.Raw(row["request"]),
        state_before=None if row["state_before"] is None else msgspec.Raw(row["state_before"]),
        reply=msgspec.Raw(row["reply"]),
        reasons=msgspec.json.decode(row["reasons"], type=dict[str, str]),
    )
