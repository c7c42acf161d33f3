"""Campaigns: what there is, and how folders of files and what is stored become the same."""

import sys
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from pulsekeeper.cli.options import configured, with_database
from pulsekeeper.clock import utc_now
from pulsekeeper.config import Config, Loaded
from pulsekeeper.decisions.rulebook.catalogue import read_folder, write_folder
from pulsekeeper.decisions.rulebook.definitions import compare, definition, page, read_definition, unified
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rules.campaigns import Campaign
from pulsekeeper.postgres.database import Database

Definitions = Mapping[str, bytes]
_STANDARD_OUTPUT = "-"

_folder = click.argument("folder", type=click.Path(exists=True, path_type=Path))
_prune = click.option("--prune", is_flag=True, help="Campaigns that are not in FOLDER go.")


@click.group()
def campaigns() -> None:
    """What is shown to whom."""


@campaigns.command("list")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list, with every member.")
@configured
def list_campaigns(loaded: Loaded[Config], *, as_json: bool) -> None:
    """List all campaigns."""
    stored = _stored(loaded)
    if as_json:
        click.echo(msgspec.json.format(b"[" + b",".join(stored.values()) + b"]", indent=2))
        return
    if not stored:
        click.echo("There are no campaigns.", err=True)
    for text in stored.values():
        click.echo(_line(read_definition(text)))


@campaigns.command("apply")
@_folder
@_prune
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@configured
def apply_campaigns(loaded: Loaded[Config], folder: Path, *, prune: bool, dry_run: bool) -> None:
    """Add or replace the campaigns in FOLDER (*.json), or in one file. All of them, or, when one is wrong, none."""
    wanted = _read(folder)

    async def apply(database: Database) -> tuple[Definitions, Definitions]:
        rules = RuleStore(database)
        if dry_run:
            return (before := await rules.definitions()), _after(before, wanted, prune=prune)
        async with rules.edit(loaded.config.decisions.policy(), utc_now()) as draft:
            before, draft.campaigns = draft.campaigns, _after(draft.campaigns, wanted, prune=prune)
        return before, draft.campaigns

    before, after = with_database(loaded, apply)
    _report(before, after, would="would be " if dry_run else "")
    click.echo(f"{sum(before.get(key) == text for key, text in wanted.items())} unchanged")


@campaigns.command("diff")
@_folder
@_prune
@configured
def diff_campaigns(loaded: Loaded[Config], folder: Path, *, prune: bool) -> None:
    """Show what `apply` would change, as a unified diff. Exit code 1 when there is a difference, or no answer."""
    wanted, before = _read(folder), _stored(loaded)
    lines = [*unified(before, _after(before, wanted, prune=prune))]
    for line in lines:
        click.echo(line)
    sys.exit(bool(lines))


@campaigns.command("export")
@click.argument("folder")
@configured
def export_campaigns(loaded: Loaded[Config], folder: str) -> None:
    """Write every campaign to a file in FOLDER, or all of them to standard output (-), as `apply` reads them.

    Files of campaigns that are gone are never deleted: where FOLDER has other *.json files, nothing is written.
    """
    stored = _stored(loaded)
    if folder == _STANDARD_OUTPUT:
        pages = b",".join(map(page, stored.values()))
        click.echo(msgspec.json.format(b"[" + pages + b"]", indent=2))
        return
    write_folder(Path(folder), stored)
    click.echo(f"{len(stored)} written to {folder}")


def _stored(loaded: Loaded[Config]) -> Definitions:
    return with_database(loaded, lambda database: RuleStore(database).definitions())


def _read(folder: Path) -> Definitions:
    return {campaign.id: definition(campaign) for campaign in read_folder(folder)}


def _after(before: Definitions, wanted: Definitions, *, prune: bool) -> dict[str, bytes]:
    return {**({} if prune else before), **wanted}


def _report(before: Definitions, after: Definitions, would: str) -> None:
    difference = compare(before, after)
    for word in ("added", "changed", "removed"):
        for campaign_id in getattr(difference, word):
            click.echo(f"{would}{word} {campaign_id}")


def _line(campaign: Campaign) -> str:
    state = "on " if campaign.active else "off"
    season = f"{campaign.valid_from or '…'} to {campaign.valid_to or '…'}" if _has_season(campaign) else ""
    return f"{campaign.id:32} {state} {campaign.priority:8} {campaign.type:12} {campaign.action:16} {season}".rstrip()


def _has_season(campaign: Campaign) -> bool:
    return campaign.valid_from is not None or campaign.valid_to is not None


COMMANDS = (campaigns,)
