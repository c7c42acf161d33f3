"""What is known of people, and what was decided for them, in PostgreSQL."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from pulsekeeper.decisions.records import Committed, Stored, Write
from pulsekeeper.postgres import queries
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.driver import Row
from pulsekeeper.postgres.failures import TransactionConflict, UniqueViolation
from pulsekeeper.postgres.statements import Statements

_Q = queries.load("pulsekeeper.decisions")


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

    async def move(self, new_keys: Mapping[str, str]) -> None:
        """Give rows new keys, by their old ones. Raises `TransactionConflict` when another node was faster."""
        try:
            await self._statements.execute(_Q.move_visitors, old_keys=list(new_keys), new_keys=list(new_keys.values()))
        except UniqueViolation as error:
            raise TransactionConflict("Somebody else has moved these rows.") from error

    async def put_visitor(self, person_key: str, last_seen_at: datetime, state: bytes) -> None:
        """Write a person's state whatever it was before."""
        await self._statements.execute(_Q.put_visitor, key=person_key, last_seen_at=last_seen_at, state=state)

    async def commit(self, writes: Sequence[Write], *, revision: int, rule_book: str, now: datetime) -> Committed:
        """Write a batch in one statement, where nothing has changed since it was read."""
        log = [(write.person_key, row) for write in writes for row in write.log]
        impressions = [(write.person_key, each) for write in writes for each in write.impressions]
        visits = [(write.person_key, release_id) for write in writes for release_id in write.releases_visited]
        links = [(write.person_key, link) for write in writes for link in write.links]
        [result] = await self._statements.fetch(
            _Q.commit_decisions,
            revision=revision,
            rule_book=rule_book,
            now=now,
            keys=[write.person_key for write in writes],
            seen_versions=[write.seen_version for write in writes],
            seen_ats=[write.seen_last_seen_at for write in writes],
            new_versions=[write.new_version for write in writes],
            last_seen_ats=[write.last_seen_at for write in writes],
            states=[write.state for write in writes],
            decision_ids=[row.decision_id for _, row in log],
            people=[key for key, _ in log],
            identities=[row.identity for _, row in log],
            requests=[row.request for _, row in log],
            states_before=[row.state_before for _, row in log],
            replies=[row.reply for _, row in log],
            reasons=[row.reasons for _, row in log],
            impressed=[key for key, _ in impressions],
            impressed_campaigns=[each.campaign_id for _, each in impressions],
            impressed_events=[each.event for _, each in impressions],
            impressed_releases=[each.release_id for _, each in impressions],
            impressed_decisions=[each.decision_id for _, each in impressions],
            visiting=[key for key, _ in visits],
            visited_releases=[release_id for _, release_id in visits],
            linking=[key for key, _ in links],
            linked_keys=[link.anonymous_key for _, link in links],
            linked_before=[link.state_before for _, link in links],
            linked_anonymous=[link.anonymous_state for _, link in links],
        )
        return Committed(result["is_current"], frozenset(result["saved"]))


def _stored(rows: Iterable[Row]) -> dict[str, Stored]:
    return {row["person_key"]: Stored(row["version"], row["state"], row["last_seen_at"]) for row in rows}
