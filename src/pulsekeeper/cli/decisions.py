"""What is shown to whom, and why: campaigns, releases, the log."""

from pathlib import Path
from uuid import UUID

import click
import msgspec
from rich.console import Console

from pulsekeeper.cli.options import configured, with_database
from pulsekeeper.clock import utc_now
from pulsekeeper.config import Config, Loaded
from pulsekeeper.decisions.campaigns import Release
from pulsekeeper.decisions.catalogue import read_folder
from pulsekeeper.decisions.definitions import definition
from pulsekeeper.decisions.rule_store import RuleStore
from pulsekeeper.decisions.store import DecisionStore
from pulsekeeper.postgres.database import Database
from pulsekeeper.validation import convert


@click.group()
def campaigns() -> None:
    """What is shown to whom."""


@campaigns.command("apply")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@configured
def apply_campaigns(loaded: Loaded[Config], folder: Path) -> None:
    """Add or replace the campaigns in FOLDER (*.json). All of them, or, when one is wrong, none."""
    definitions = {campaign.id: definition(campaign) for campaign in read_folder(folder)}

    async def save(database: Database) -> None:
        saved = await RuleStore(database).save_campaigns(definitions, utc_now())
        for word, ids in (("added", saved.added), ("changed", saved.changed)):
            for campaign_id in ids:
                click.echo(f"{word} {campaign_id}")
        click.echo(f"{len(saved.unchanged)} unchanged")

    with_database(loaded, save)


@click.group()
def releases() -> None:
    """Which versions of the site there are."""


@releases.command("put")
@click.argument("release_id")
@click.option(
    "--released-at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"]), help="Now, if not given."
)
@click.option("--notes-url")
@configured
def put_release(loaded: Loaded[Config], release_id: str, released_at: object, notes_url: str | None) -> None:
    """Register a release, or correct one."""
    given = {"id": release_id, "releasedAt": released_at or utc_now(), "notesUrl": notes_url}
    release = convert(given, Release, unknown="refuse")
    with_database(loaded, lambda database: RuleStore(database).save_release(release))
    click.echo(f"{release.id} released at {release.released_at.isoformat()}")


@click.command("why")
@click.argument("decision_id", type=click.UUID)
@configured
def show_decision(loaded: Loaded[Config], decision_id: UUID) -> None:
    """Print a decision from the log: what was asked, what was known, and what became of every campaign."""
    row = with_database(loaded, lambda database: DecisionStore(database).decision(decision_id))
    Console().print_json(msgspec.json.encode(row).decode())


COMMANDS = (campaigns, releases, show_decision)
