"""The secrets under which anonymous people are hashed."""

import secrets

import click

from pulsekeeper.cli.options import configured, with_database
from pulsekeeper.clock import utc_now
from pulsekeeper.config import Config, Loaded
from pulsekeeper.decisions.rulebook.salt_store import SALT_BYTES, SaltStore


@click.group()
def salts() -> None:
    """The secrets under which anonymous people are hashed."""


@salts.command("rotate")
@configured
def rotate_salts(loaded: Loaded[Config]) -> None:
    """Put a new salt in force. People who come back before the next rotation keep what is known of them."""
    fresh = secrets.token_bytes(SALT_BYTES)
    with_database(loaded, lambda database: SaltStore(database).rotate(fresh, utc_now()))
    click.echo("A new salt is in force; the one before it stays until the next rotation.")


COMMANDS = (salts,)
