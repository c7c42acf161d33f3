"""The database's schema."""

import sys
from functools import partial

import click

from pulsekeeper.cli.options import configured, with_any_database
from pulsekeeper.clock import utc_now
from pulsekeeper.config import Config, Loaded
from pulsekeeper.postgres import migrator


@click.group()
def migrate() -> None:
    """Bring the database's schema up to date, or see whether it is."""


@migrate.command("up")
@configured
def migrate_up(loaded: Loaded[Config]) -> None:
    """Apply every migration that is pending."""
    for migration in with_any_database(loaded, partial(migrator.migrate, now=utc_now()), create=True):
        click.echo(f"{migration.number:04} {migration.name} applied")
    click.echo("The schema is up to date.")


@migrate.command("status")
@configured
def migrate_status(loaded: Loaded[Config]) -> None:
    """List every migration; exit code 1 while some are pending."""
    statuses = with_any_database(loaded, migrator.status)
    for status in statuses:
        click.echo(f"{status.number:04} {status.name:30} {status.applied_at or 'pending'}")
    sys.exit(any(status.applied_at is None for status in statuses))


COMMANDS = (migrate,)
