"""What was decided, and why."""

from uuid import UUID

import click
import msgspec
from rich.console import Console

from pulsekeeper.cli.options import configured, with_database
from pulsekeeper.config import Config, Loaded
from pulsekeeper.decisions.audit.log_store import LogStore


@click.command("why")
@click.argument("decision_id", type=click.UUID)
@configured
def show_decision(loaded: Loaded[Config], decision_id: UUID) -> None:
    """Print a decision from the log: what was asked, what was known, and what became of every campaign."""
    row = with_database(loaded, lambda database: LogStore(database).decision(decision_id))
    Console().print_json(msgspec.json.encode(row).decode())


COMMANDS = (show_decision,)
