"""What decisions are made by, in PostgreSQL: campaigns, releases, and every version of the two."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from pulsekeeper.decisions.campaigns import Campaign, Release
from pulsekeeper.postgres import queries
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.transactions import Transaction

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
    unchanged: tuple[str, ...]


class RuleStore:
    """The tables of the rules. Every method raises `errors.Unavailable` when the database cannot be reached."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rule_book_parts(self) -> RuleBookParts:
        """The campaigns and releases in force."""
        [row] = await self._database.fetch(_Q.rule_book_parts)
        return RuleBookParts(row["revision"], _campaigns.decode(row["campaigns"]), _releases.decode(row["releases"]))

    async def record_rule_book(self, digest: str, content: bytes, now: datetime) -> None:
        """Keep a version of the rules under its hash."""
        await self._database.execute(_Q.record_rule_book, hash=digest, content=content.decode(), now=now)

    async def save_campaigns(self, definitions: Mapping[str, bytes], now: datetime) -> Saved:
        """Add campaigns, and replace those that differ from what is saved. In force once committed."""
        async with self._database.transaction() as transaction:
            revision = await transaction.fetch_value(_Q.next_revision)
            old = {row["id"]: row["definition"] for row in await transaction.fetch(_Q.campaign_definitions)}
            fresh = {key: text for key, text in definitions.items() if old.get(key) != text}
            await transaction.execute(_Q.save_campaigns, ids=list(fresh), definitions=list(fresh.values()), now=now)
            await _announce(transaction, revision)
        return Saved(
            added=tuple(key for key in fresh if key not in old),
            changed=tuple(key for key in fresh if key in old),
            unchanged=tuple(key for key in definitions if key not in fresh),
        )

    async def save_release(self, release: Release) -> None:
        """Add or correct a release. In force once committed."""
        async with self._database.transaction() as transaction:
            revision = await transaction.fetch_value(_Q.next_revision)
            await transaction.execute(
                _Q.save_release, id=release.id, released_at=release.released_at, notes_url=release.notes_url
            )
            await _announce(transaction, revision)


async def _announce(transaction: Transaction, revision: int) -> None:
    await transaction.notify(RULE_BOOK_CHANGED, str(revision))
