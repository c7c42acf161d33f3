"""Releases: which versions of the site there are."""

from datetime import datetime

import click
import msgspec

from pulsekeeper.cli.options import configured, with_database
from pulsekeeper.clock import utc_now
from pulsekeeper.config import Config, Loaded
from pulsekeeper.decisions.rulebook.reading import read_release_as
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.errors import NotFound
from pulsekeeper.postgres.database import Database


@click.group()
def releases() -> None:
    """Which versions of the site there are."""


@releases.command("list")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
@configured
def list_releases(loaded: Loaded[Config], *, as_json: bool) -> None:
    """List all releases, the latest first."""
    known = [*with_database(loaded, lambda database: RuleStore(database).releases()).values()]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(known), indent=2))
        return
    if not known:
        click.echo("There are no releases.", err=True)
    for release in known:
        click.echo(f"{release.id:24} {release.released_at.isoformat()} {release.notes_url or ''}".rstrip())


@releases.command("put")
@click.argument("release_id")
@click.option(
    "--released-at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"]), help="Now, if not given."
)
@click.option("--notes-url")
@configured
def put_release(loaded: Loaded[Config], release_id: str, released_at: datetime | None, notes_url: str | None) -> None:
    """Register a release, or correct one."""
    now = utc_now()
    release = read_release_as(release_id, {"releasedAt": released_at or now, "notesUrl": notes_url})

    async def put(database: Database) -> None:
        async with RuleStore(database).edit(loaded.config.decisions.policy(), now) as draft:
            draft.releases[release.id] = release

    with_database(loaded, put)
    click.echo(f"{release.id} released at {release.released_at.isoformat()}")


@releases.command("remove")
@click.argument("release_id")
@configured
def remove_release(loaded: Loaded[Config], release_id: str) -> None:
    """Forget a release."""

    async def remove(database: Database) -> None:
        async with RuleStore(database).edit(loaded.config.decisions.policy(), utc_now()) as draft:
            if draft.releases.pop(release_id, None) is None:
                raise NotFound(f"there is no release {release_id!r}")

    with_database(loaded, remove)
    click.echo(f"{release_id} removed")


COMMANDS = (releases,)
