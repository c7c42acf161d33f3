"""What most commands share: where the configuration comes from, and a database to work with."""

import os
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, NoReturn, ParamSpec, TypeVar

import click
import trio

from pulsekeeper import errors, logs
from pulsekeeper.cli.interrupts import INTERRUPTED, leave_in_order
from pulsekeeper.config import Config, Loaded, load
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.migrator import plan

T = TypeVar("T")
P = ParamSpec("P")


def configured(command: Callable[Concatenate[Loaded[Config], P], None]) -> Callable[..., None]:
    """A command that is given the configuration, from the files, the environment and its own options."""

    @click.option(
        "-c", "--config", "files", multiple=True, type=click.Path(path_type=Path), help="TOML file; later wins."
    )
    @click.option("--data", help="Folder of the embedded database (database.data_dir).")
    @wraps(command)
    def run(*args: Any, files: tuple[Path, ...], data: str | None, **kwargs: Any) -> None:
        given = {"PULSEKEEPER_DATA_DIR": data} if data else {}
        loaded = load(files, os.environ | given)
        logs.configure(loaded.config.log.level, loaded.config.log.format)
        try:
            leave_in_order()
            command(loaded, *args, **kwargs)
        except KeyboardInterrupt:
            die("interrupted", INTERRUPTED)
        except BaseExceptionGroup as group:
            if group.subgroup(KeyboardInterrupt) is None:
                raise
            die("interrupted", INTERRUPTED)

    return run


def with_database(loaded: Loaded[Config], work: Callable[[Database], Awaitable[T]]) -> T:
    """Do something with the configured database; the embedded one is started for it if need be, but never created.

    Raises `errors.Conflict` while migrations are pending, without doing anything.
    """

    async def on_current_schema(database: Database) -> T:
        if await plan(database):
            raise errors.Conflict("the schema is not up to date: run pulsekeeper migrate up")
        return await work(database)

    return with_any_database(loaded, on_current_schema)


def with_any_database(loaded: Loaded[Config], work: Callable[[Database], Awaitable[T]], *, create: bool = False) -> T:
    """The same with whatever schema there is; an embedded database that is not there may be created."""

    async def run() -> T:
        async with open_database(loaded.config.database, create=create) as database:
            return await work(database)

    return trio.run(run)


def die(sentence: str, code: int) -> NoReturn:
    """End the process with a sentence on standard error."""
    click.echo(f"pulsekeeper: {sentence}", err=True)
    sys.exit(code)
