"""The tables of all rooms: what the service does to them every hour, done once by hand."""

import sys
from datetime import datetime

import click
from msgspec import Struct
from msgspec.structs import asdict

from pulsekeeper import errors
from pulsekeeper.cli.options import configured, with_database
from pulsekeeper.clock import utc_now
from pulsekeeper.config import Config, Loaded
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.upkeep import Turn, turns
from pulsekeeper.wiring.upkeep import upkeep


@click.command("maintain")
@configured
def maintain_once(loaded: Loaded[Config]) -> None:
    """Make partitions ahead, delete what is past its retention, forget anonymous people who are long gone. Once.

    Exit code 1 if any room's tables could not be put in order.
    """
    now = utc_now()

    async def run(database: Database) -> bool:
        rooms = turns(database, upkeep(loaded.config))
        return all([await _maintain(room, turn, now) for room, turn in rooms.items()])

    sys.exit(not with_database(loaded, run))


async def _maintain(room: str, turn: Turn, now: datetime) -> bool:
    """Do a room's upkeep and print what was done; whether it could be done."""
    try:
        done = await turn(now)
    except errors.PulsekeeperError as error:
        click.echo(f"{room}: {error}", err=True)
        return False
    for line in ["another node is at it"] if done is None else _lines(done):
        click.echo(f"{room}: {line}")
    return True


def _lines(done: Struct) -> list[str]:
    """What was done, in the words that the fields are called by."""
    lines = []
    for name, value in asdict(done).items():
        words = name.replace("_", " ")
        match value:
            case bool():
                lines += [words] if value else []
            case int():
                lines.append(f"{value} {words}")
            case _:
                lines += [f"{words} {each}" for each in value]
    return lines


COMMANDS = (maintain_once,)
