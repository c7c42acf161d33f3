"""Made-up sessions, for whoever wants to see figures before there are any."""

from datetime import datetime

import click

from pulsekeeper import errors
from pulsekeeper.cli.options import configured, with_database
from pulsekeeper.cli.progress import progress
from pulsekeeper.clock import utc_now
from pulsekeeper.config import Config, Loaded
from pulsekeeper.postgres.database import Database
from pulsekeeper.sessions.sampling.filling import fill
from pulsekeeper.sessions.sampling.loader import Loaded as LoadedHistory
from pulsekeeper.sessions.sampling.loader import has_history
from pulsekeeper.sessions.sampling.population import Sample


@click.command("seed")
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True)
@click.option("--installations", type=click.IntRange(1, 100_000), default=500, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="The same one makes the same history.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day, today in UTC unless given.")
@click.option("--force", is_flag=True, help="Add it to what is there, which nobody can tell apart afterwards.")
@configured
def seed_sessions(  # noqa: PLR0913  # one for each option
    loaded: Loaded[Config], *, days: int, installations: int, seed: int, until: datetime | None, force: bool
) -> None:
    """Fill the database with made-up sessions: days of them, of installations that come and go.

    What lies after the present has not happened yet, so that on the last day some sessions may still be open.
    """
    now = utc_now()
    sample = Sample(seed=seed, until=(until or now).date(), days=days, installations=installations)
    if sample.until > now.date():
        raise click.BadParameter("this day is still to come", param_hint="--until")

    async def run(database: Database) -> LoadedHistory:
        if not force and await has_history(database):
            raise errors.Conflict("there are sessions already; --force adds made-up ones to them")
        return await fill(database, sample, loaded.config.sessions, now, progress)

    done = with_database(loaded, run)
    click.echo(f"{done.installations} installations, {done.sessions} sessions and {done.events} events were made up.")


COMMANDS = (seed_sessions,)
