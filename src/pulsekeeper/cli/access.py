"""Keys for the API, and those that sign the tokens of sessions."""

import secrets

import click

from pulsekeeper import errors
from pulsekeeper.access import desk
from pulsekeeper.access.store import KeyStore
from pulsekeeper.cli.options import configured, with_database
from pulsekeeper.clock import utc_now
from pulsekeeper.config import Config, Loaded
from pulsekeeper.sessions.key_store import SigningKeyStore
from pulsekeeper.sessions.tokens import SECRET_BYTES
from pulsekeeper.web.identity import Scope


@click.group()
def keys() -> None:
    """Keys for the API, the first of which is auth.admin_key in the configuration, and for sessions."""


@keys.command("create")
@click.option("--scope", type=click.Choice([scope.value for scope in Scope]), required=True)
@click.option("--name", default="", help="What it is for.")
@configured
def create_key(loaded: Loaded[Config], scope: str, name: str) -> None:
    """Make a key and print it. It is stored as a hash only, so it is never shown again."""
    minted = with_database(loaded, lambda database: desk.create_key(KeyStore(database), Scope(scope), name, utc_now()))
    click.echo(minted.token.reveal())


@keys.command("list")
@configured
def list_keys(loaded: Loaded[Config]) -> None:
    """List all keys; the keys themselves are not known."""
    known = with_database(loaded, lambda database: desk.list_keys(KeyStore(database)))
    if not known:
        click.echo("There are no keys but auth.admin_key.", err=True)
    for key in known:
        state = f"revoked {key.revoked_at}" if key.revoked_at else f"last used {key.last_used_at or 'never'}"
        click.echo(f"{key.id}  {key.scope:8} {state:40} {key.name}")


@keys.command("revoke")
@click.argument("key_id")
@configured
def revoke_key(loaded: Loaded[Config], key_id: str) -> None:
    """End a key."""
    with_database(loaded, lambda database: desk.revoke_key(KeyStore(database), key_id, utc_now()))
    click.echo(f"{key_id} revoked")


@keys.command("rotate-session-key")
@click.option("--force", is_flag=True, help="Even if that cuts off sessions, which then have to start again.")
@configured
def rotate_session_key(loaded: Loaded[Config], force: bool) -> None:
    """Sign the tokens of sessions with a new key. Those signed with the one before it stay good."""
    settings, fresh = loaded.config.sessions, secrets.token_bytes(SECRET_BYTES)
    lifetime = None if force else settings.token_lifetime
    try:
        with_database(loaded, lambda database: SigningKeyStore(database).rotate(fresh, utc_now(), lifetime))
    except errors.Conflict as conflict:
        raise errors.Conflict(f"{conflict.detail} (--force does it all the same)") from None
    click.echo("A new key signs the tokens of sessions; the one before it is believed until the next rotation.")


COMMANDS = (keys,)
