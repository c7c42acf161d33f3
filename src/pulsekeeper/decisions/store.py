"""What is known of people, and what was decided for them, in PostgreSQL."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from pulsekeeper.decisions.records import Committed, Stored, Write
from pulsekeeper.postgres import queries
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.failures import TransactionConflict, UniqueViolation
from pulsekeeper.postgres.rows import Row
from pulsekeeper.postgres.statements import Statements

_Q = queries.load("pulsekeeper.decisions")

_Columns = Mapping[str, Sequence[object] | None]
"""Parameters of `commit_decisions`: a list for each column. `None` says that there are no rows, and no work."""
_NO_LOG: _Columns = dict.fromkeys(
    ("decision_ids", "people", "identities", "requests", "states_before", "replies", "reasons")
)
_NO_IMPRESSIONS: _Columns = dict.fromkeys(
    ("impressed", "impressed_campaigns", "impressed_events", "impressed_releases", "impressed_decisions")
)
_NO_VISITS: _Columns = dict.fromkeys(("visiting", "visited_releases"))
_NO_LINKS: _Columns = dict.fromkeys(("linking", "linked_keys", "linked_before", "linked_anonymous"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


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
        """Write a batch in one statement, where nothing has changed since it was read. Each person is in it once."""
        rows = await self._statements.fetch(
            _Q.commit_decisions,
            revision=revision,
            rule_book=rule_book,
            now=now,
            **_states(writes),
            **_log(writes),
            **_impressions(writes),
            **_visits(writes),
            **_links(writes),
        )
        keys = [write.person_key for write in writes]
        return _committed(keys, rows) if rows else Committed(is_current=True, saved=frozenset(keys))


def _stored(rows: Iterable[Row]) -> dict[str, Stored]:
    return {row["person_key"]: Stored(row["version"], row["state"], row["last_seen_at"]) for row in rows}


def _committed(keys: Sequence[str], unsaved: Sequence[Row]) -> Committed:
    """What became of a batch of which not all was written."""
    if unsaved[0]["person_key"] is None:  # a row without a key: the rules have changed
        return Committed(is_current=False, saved=frozenset())
    saved = frozenset(keys).difference(row["person_key"] for row in unsaved)
    overtaken = _stored(row for row in unsaved if row["version"] is not None)
    return Committed(is_current=True, saved=saved, overtaken=overtaken)


# A list for each column, because a statement takes any number of rows as arrays. Times as numbers and JSON as text, for
# the driver takes up to three times as long over its own ways, and this is done for every decision.
# Not each column as one text, as `sessions.columns` has them: most of these are JSON, which would be escaped once more.


def _states(writes: Sequence[Write]) -> _Columns:
    return {
        "keys": [write.person_key for write in writes],
        "seen_versions": [write.seen_version for write in writes],
        "seen_ats": [
            None if write.seen_last_seen_at is None else (write.seen_last_seen_at - _EPOCH) // _MICROSECOND
            for write in writes
        ],
        "new_versions": [write.new_version for write in writes],
        "last_seen_ats": [(write.last_seen_at - _EPOCH) // _MICROSECOND for write in writes],
        "states": [write.state.decode() for write in writes],
    }


def _log(writes: Sequence[Write]) -> _Columns:
    rows = [row for write in writes for row in write.log]
    if not rows:
        return _NO_LOG
    return {
        "decision_ids": [row.decision_id for row in rows],
        "people": [write.person_key for write in writes for _ in write.log],
        "identities": [row.identity.decode() for row in rows],
        "requests": [row.request.decode() for row in rows],
        "states_before": [None if row.state_before is None else row.state_before.decode() for row in rows],
        "replies": [row.reply.decode() for row in rows],
        "reasons": [row.reasons.decode() for row in rows],
    }


def _impressions(writes: Sequence[Write]) -> _Columns:
    rows = [(write.person_key, each) for write in writes for each in write.impressions]
    if not rows:
        return _NO_IMPRESSIONS
    return {
        "impressed": [key for key, _ in rows],
        "impressed_campaigns": [each.campaign_id for _, each in rows],
        "impressed_events": [each.event for _, each in rows],
        "impressed_releases": [each.release_id for _, each in rows],
        "impressed_decisions": [each.decision_id for _, each in rows],
    }


def _visits(writes: Sequence[Write]) -> _Columns:
    rows = [(write.person_key, release_id) for write in writes for release_id in write.releases_visited]
    if not rows:
        return _NO_VISITS
    return {"visiting": [key for key, _ in rows], "visited_releases": [release_id for _, release_id in rows]}


def _links(writes: Sequence[Write]) -> _Columns:
    rows = [(write.person_key, link) for write in writes for link in write.links]
    if not rows:
        return _NO_LINKS
    return {
        "linking": [key for key, _ in rows],
        "linked_keys": [link.anonymous_key for _, link in rows],
        "linked_before": [None if link.state_before is None else link.state_before.decode() for _, link in rows],
        "linked_anonymous": [
            None if link.anonymous_state is None else link.anonymous_state.decode() for _, link in rows
        ],
    }
