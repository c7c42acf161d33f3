"""Is the log still true? Logged decisions are made again, and compared."""

import sys
from datetime import UTC, datetime
from uuid import UUID

import click
import msgspec

from pulsekeeper.cli.options import configured, with_database
from pulsekeeper.cli.progress import progress
from pulsekeeper.config import Config, Loaded
from pulsekeeper.decisions.audit.log_store import EVER, BookStore, LogStore
from pulsekeeper.decisions.audit.replay import Logged, replay
from pulsekeeper.postgres.database import Database

_MOST_TOLD = 20
"""Decisions that are not the same any more; further ones are only counted."""
_MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S%z"]


@click.command("replay")
@click.argument("decision_ids", type=click.UUID, nargs=-1)
@click.option("--last", type=click.IntRange(min=1), help="The decisions made last, this many.")
@click.option("--since", type=click.DateTime(_MOMENTS), help="All decisions since this moment; without a zone, UTC.")
@configured
def replay_decisions(
    loaded: Loaded[Config], decision_ids: tuple[UUID, ...], last: int | None, since: datetime | None
) -> None:
    """Decide logged decisions again, and compare: exit code 1 if any reply or reason is another one now."""
    if bool(decision_ids) == (last is not None or since is not None):
        raise click.UsageError("name decisions by their ids, or some by --last and --since")

    async def run(database: Database) -> bool:
        if decision_ids:
            return await _replay_each(database, decision_ids)
        moment = EVER if since is None else (since if since.tzinfo else since.replace(tzinfo=UTC))
        return await _replay_many(database, moment, sys.maxsize if last is None else last)

    sys.exit(not with_database(loaded, run))


class _Comparison:
    """Decisions that were made again, one after the other."""

    def __init__(self, database: Database) -> None:
        self._books = BookStore(database)
        self.count = 0
        self.different = 0

    async def add(self, logged: Logged) -> None:
        """Decide it again; print what is different."""
        result = replay(await self._books.book(logged.rule_book), logged)
        self.count += 1
        if result.identical:
            return
        self.different += 1
        if self.different <= _MOST_TOLD:
            click.echo(f"{logged.decision_id} is different:")
            for difference in result.differences:
                click.echo(f"  {msgspec.json.encode(difference).decode()}")

    def conclude(self) -> bool:
        """Print the result; whether all were the same."""
        click.echo(f"{self.count} decided again, {self.different} different")
        return not self.different


async def _replay_each(database: Database, decision_ids: tuple[UUID, ...]) -> bool:
    comparison, log = _Comparison(database), LogStore(database)
    for decision_id in decision_ids:
        await comparison.add(await log.decision(decision_id))
    return comparison.conclude()


async def _replay_many(database: Database, since: datetime, most: int) -> bool:
    comparison, log = _Comparison(database), LogStore(database)
    total = min(await log.count(since), most)
    with progress("Deciding again", total) as advance:
        async for page in log.pages(since, total):
            for logged in page:
                await comparison.add(logged)
            advance(len(page))
    return comparison.conclude()


COMMANDS = (replay_decisions,)
