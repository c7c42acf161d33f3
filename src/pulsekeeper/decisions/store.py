"""Rows in, Structs out: everything that this room keeps in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from pulsekeeper import errors
from pulsekeeper.decisions.campaigns import Campaign, Release
from pulsekeeper.decisions.records import Committed, Stored, Write
from pulsekeeper.postgres import queries
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.driver import Row

_Q = queries.load("pulsekeeper.decisions")

_campaigns = msgspec.json.Decoder(tuple[Campaign, ...])
_releases = msgspec.json.Decoder(tuple[Release, ...])

RULE_BOOK_CHANGED = "rule_book"
"""The channel on which a new revision of the rules is announced."""


class RuleBookParts(msgspec.Struct, frozen=True):
    """What a rule book is compiled from, all of one moment."""

    revision: int
    campaigns: tuple[Campaign, ...]
    releases: tuple[Release, ...]


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What `campaigns apply` has done."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    of: int
    """How many were given; the others were there already, just so."""


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
    """The tables of the room. Every method raises `errors.Unavailable` when the database cannot be reached."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rule_book_parts(self) -> RuleBookParts:
        """The campaigns and releases in force."""
        [row] = await self._database.fetch(_Q.rule_book_parts)
        return RuleBookParts(row["revision"], _campaigns.decode(row["campaigns"]), _releases.decode(row["releases"]))

    async def record_rule_book(self, digest: str, content: bytes, now: datetime) -> None:
        """Keep a version of the rules under its hash."""
        await self._database.execute(_Q.record_rule_book, hash=digest, content=content.decode(), now=now)

    async def add_first_salt(self, secret: bytes, now: datetime) -> None:
        """Give the database its first salt, unless it has one."""
        await self._database.execute(_Q.add_first_salt, secret=secret, now=now)

    async def salt_in_force(self) -> bytes:
        """The secret under which anonymous people are hashed."""
        return bytes(await self._database.fetch_value(_Q.salt_in_force))

    async def recall(self, person_keys: Sequence[str]) -> dict[str, Stored]:
        """What is known of these people; who was never here is not in it."""
        rows = await self._database.fetch(_Q.recall_visitors, keys=person_keys)
        return {row["person_key"]: Stored(row["version"], row["state"]) for row in rows}

    async def put_visitor(self, person_key: str, last_seen_at: datetime, state: bytes) -> None:
        """Write a person's state whatever it was before."""
        await self._database.execute(_Q.put_visitor, key=person_key, last_seen_at=last_seen_at, state=state)

    async def commit(self, writes: Sequence[Write], *, revision: int, rule_book: str, now: datetime) -> Committed:
        """Write a batch in one statement, where nothing has changed since it was read."""
        log = [(write.person_key, row) for write in writes for row in write.log]
        [result] = await self._database.fetch(
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
        rows = await self._database.fetch(_Q.decision, decision_id=decision_id)
        if not rows:
            raise errors.NotFound(f"there is no decision {decision_id} in the log")
        return _logged(rows[0])

    async def save_campaigns(self, definitions: Mapping[str, bytes], now: datetime) -> Saved:
        """Add campaigns, and replace those that differ from what is saved. In force once committed."""
        async with self._database.transaction() as transaction:
            revision = await transaction.fetch_value(_Q.next_revision)
            saved = {row["id"]: row["definition"] for row in await transaction.fetch(_Q.campaign_definitions)}
            changed = {key: text for key, text in definitions.items() if saved.get(key) != text}
            await transaction.execute(_Q.save_campaigns, ids=list(changed), definitions=list(changed.values()), now=now)
            await transaction.execute(_Q.announce_revision, revision=str(revision))
        added = tuple(key for key in changed if key not in saved)
        return Saved(added=added, changed=tuple(key for key in changed if key in saved), of=len(definitions))

    async def save_release(self, release: Release) -> None:
        """Add or correct a release. In force once committed."""
        async with self._database.transaction() as transaction:
            revision = await transaction.fetch_value(_Q.next_revision)
            await transaction.execute(
                _Q.save_release, id=release.id, released_at=release.released_at, notes_url=release.notes_url
            )
            await transaction.execute(_Q.announce_revision, revision=str(revision))


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
