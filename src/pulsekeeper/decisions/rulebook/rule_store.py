"""What decisions are made by, in PostgreSQL: campaigns, releases, and every version of the two."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec
import trio

from pulsekeeper.decisions.rulebook.definitions import Difference, read_definition
from pulsekeeper.decisions.rulebook.drafts import Draft
from pulsekeeper.decisions.rules.book import edition
from pulsekeeper.decisions.rules.campaigns import Campaign, Release
from pulsekeeper.decisions.rules.model import Policy
from pulsekeeper.postgres import queries
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.rows import Row
from pulsekeeper.postgres.statements import Statements
from pulsekeeper.postgres.transactions import Transaction

_Q = queries.load("pulsekeeper.decisions")

_definitions = msgspec.json.Decoder(list[msgspec.Raw])
_releases = msgspec.json.Decoder(tuple[Release, ...])

RULE_BOOK_CHANGED = "rule_book"
"""The channel on which a new revision of the rules is announced."""


class RuleBookParts(msgspec.Struct, frozen=True):
    """What a rule book is compiled from, all of one moment."""

    revision: int
    campaigns: tuple[Campaign, ...]
    releases: tuple[Release, ...]


class RuleStore:
    """The tables of the rules. Every method raises `errors.Unavailable` when the database cannot be reached."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rule_book_parts(self) -> RuleBookParts:
        """The campaigns and releases in force."""
        [row] = await self._database.fetch(_Q.rule_book_parts)
        return await trio.to_thread.run_sync(_parts, row)  # thousands of campaigns take a while

    async def record_rule_book(self, digest: str, content: bytes, now: datetime) -> None:
        """Keep a version of the rules under its hash."""
        await _record(self._database, digest, content, now)

    async def definitions(self) -> dict[str, bytes]:
        """All campaigns as they are stored, by id."""
        return await _definitions_in(self._database)

    async def definitions_after(self, campaign_id: str, limit: int) -> dict[str, bytes]:
        """The first `limit` campaigns whose ids come after this one; an empty one comes before all."""
        rows = await self._database.fetch(_Q.campaign_definitions_after, after=campaign_id, limit=limit)
        return {row["id"]: row["definition"] for row in rows}

    async def definition(self, campaign_id: str) -> bytes | None:
        """One campaign as it is stored, if there is one."""
        found: bytes | None = await self._database.fetch_value(_Q.campaign_definition, id=campaign_id)
        return found

    async def releases(self) -> dict[str, Release]:
        """All releases by id, the latest first."""
        return await _releases_in(self._database)

    @asynccontextmanager
    async def edit(self, policy: Policy, now: datetime) -> AsyncIterator[Draft]:
        """All rules, to be changed within the block; nobody else changes any meanwhile.

        In force on every node once committed, at the end of the block, unless an error leaves it. The new version is
        kept under its hash at once, so that none is missed that is in force for a moment only. `policy` is the part of
        it that is configured. What changes nothing leaves everything as it is, the revision too.
        """
        async with self._database.transaction() as transaction:
            await transaction.execute(_Q.lock_rules)
            draft = Draft(await _definitions_in(transaction), await _releases_in(transaction))
            yield draft
            campaigns, releases = draft.changed_campaigns(), draft.changed_releases()
            if campaigns or releases:
                await _save_campaigns(transaction, draft, campaigns, now)
                await _save_releases(transaction, draft, releases)
                made = await trio.to_thread.run_sync(_edition, draft, policy)
                await _record(transaction, *made, now)
                await _announce(transaction)


def _parts(row: Row) -> RuleBookParts:
    campaigns = tuple(read_definition(text) for text in _definitions.decode(row["campaigns"]))
    return RuleBookParts(row["revision"], campaigns, _releases.decode(row["releases"]))


def _edition(draft: Draft, policy: Policy) -> tuple[str, bytes]:
    made = edition(map(read_definition, draft.campaigns.values()), draft.releases.values(), policy)
    return made.hash, made.content


async def _definitions_in(statements: Statements) -> dict[str, bytes]:
    return {row["id"]: row["definition"] for row in await statements.fetch(_Q.campaign_definitions)}


async def _releases_in(statements: Statements) -> dict[str, Release]:
    return {release.id: release for release in await statements.fetch_as(Release, _Q.releases)}


async def _save_campaigns(transaction: Transaction, draft: Draft, difference: Difference, now: datetime) -> None:
    ids = [*difference.added, *difference.changed]
    await transaction.execute(_Q.save_campaigns, ids=ids, definitions=[draft.campaigns[key] for key in ids], now=now)
    await transaction.execute(_Q.remove_campaigns, ids=difference.removed)


async def _save_releases(transaction: Transaction, draft: Draft, difference: Difference) -> None:
    saved = [draft.releases[key] for key in (*difference.added, *difference.changed)]
    await transaction.execute(
        _Q.save_releases,
        ids=[release.id for release in saved],
        released_ats=[release.released_at for release in saved],
        notes_urls=[release.notes_url for release in saved],
    )
    await transaction.execute(_Q.remove_releases, ids=difference.removed)


async def _record(statements: Statements, digest: str, content: bytes, now: datetime) -> None:
    await statements.execute(_Q.record_rule_book, hash=digest, content=content.decode(), now=now)


async def _announce(transaction: Transaction) -> None:
    revision = await transaction.fetch_value(_Q.next_revision)
    await transaction.notify(RULE_BOOK_CHANGED, str(revision))
