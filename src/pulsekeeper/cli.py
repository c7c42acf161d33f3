"""The commands. Each reads the configuration, does one thing, and ends with 0, or with a sentence and another code.

Exit codes: 1 when something failed, 2 when the command line or the configuration is wrong, 130 when it was interrupted.
"""

import os
import secrets
import shlex
import sys
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any, Concatenate, NoReturn, ParamSpec, TypeVar
from uuid import UUID

import click
import httpx
import msgspec
import trio
from rich.console import Console
from rich.tree import Tree as RichTree

from pulsekeeper import __version__, demo, errors, logs
from pulsekeeper.access import desk
from pulsekeeper.access.store import KeyStore
from pulsekeeper.actors.supervisor import BudgetSpent
from pulsekeeper.clock import utc_now
from pulsekeeper.config import Config, ConfigError, Loaded, LogSettings, read, render_toml
from pulsekeeper.decisions.campaigns import Release
from pulsekeeper.decisions.catalogue import definition, read_folder
from pulsekeeper.decisions.rule_store import RuleStore
from pulsekeeper.decisions.store import DecisionStore
from pulsekeeper.house import House
from pulsekeeper.postgres import migrator
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.scalars import Secret
from pulsekeeper.service import INTERRUPTED, GraceExceeded, Interrupted, run_service
from pulsekeeper.validation import convert
from pulsekeeper.web.identity import Scope
from pulsekeeper.web.listening import CannotListen, Listening
from pulsekeeper.web.tree import Node, Tree

T = TypeVar("T")
P = ParamSpec("P")

_FAILED, _MISUSED = 1, 2
_EXPECTED = (errors.PulsekeeperError, GraceExceeded)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pulsekeeper")
def cli() -> None:
    """A self-hosted engagement runtime: it knows who is alive, and decides what to show them."""


def configured(command: Callable[Concatenate[Loaded[Config], P], None]) -> Callable[..., None]:
    """A command that is given the configuration, from the files, the environment and its own options."""

    @click.option(
        "-c", "--config", "files", multiple=True, type=click.Path(path_type=Path), help="TOML file; later wins."
    )
    @click.option("--data", help="Folder of the embedded database (database.data_dir).")
    @wraps(command)
    def run(*args: Any, files: tuple[Path, ...], data: str | None, **kwargs: Any) -> None:
        given = {"PULSEKEEPER_DATA_DIR": data} if data else {}
        loaded = read(files, os.environ | given)
        logs.configure(loaded.config.log.level, loaded.config.log.format)
        try:
            command(loaded, *args, **kwargs)
        except KeyboardInterrupt:
            _die("interrupted", INTERRUPTED)

    return run


def main() -> NoReturn:
    """The entry point of the command `pulsekeeper`."""
    try:
        cli(prog_name="pulsekeeper")
    except ConfigError as error:
        _die(str(error), _MISUSED)
    except errors.Invalid as error:
        _die("\n".join([error.detail, *(f"  {fault.pointer}: {fault.detail}" for fault in error.faults)]), _FAILED)
    except CannotListen as error:
        _die(str(error), _FAILED)
    except Interrupted as error:
        _die(str(error), INTERRUPTED)
    except BudgetSpent as error:
        _die(f"gave up, because {_root_of(error)}", _FAILED)
    except errors.Unavailable as error:
        _die(f"{error.detail} ({_root_of(error)})" if error.__cause__ else error.detail, _FAILED)
    except _EXPECTED as error:
        _die(str(error), _FAILED)
    sys.exit(0)


def _root_of(error: BaseException) -> BaseException:
    inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__
    return error if inner is None else _root_of(inner)


def _die(sentence: str, code: int) -> NoReturn:
    click.echo(f"pulsekeeper: {sentence}", err=True)
    sys.exit(code)


# --- the service


@cli.command()
@configured
def serve(loaded: Loaded[Config]) -> None:
    """Run the service until SIGTERM or Ctrl-C."""
    trio.run(run_service, loaded.config, _say_where)


@cli.command("demo")
@click.option("--bind", help="Address and port to listen on (web.bind).")
@configured
def run_demo(loaded: Loaded[Config], bind: str | None) -> None:
    """Run the service with sample campaigns and a visitor who was last seen 40 days ago."""
    config = _demo_config(loaded, bind)
    logs.configure(config.log.level, config.log.format)
    click.echo("Starting Pulsekeeper and its database ...", err=True)
    trio.run(run_service, config, _show_around)


@cli.command("tree")
@click.option("--url", help="Base address of the node, taken from the configuration unless given.")
@configured
def show_tree(loaded: Loaded[Config], url: str | None) -> None:
    """Print the actors of a running node; needs auth.admin_key."""
    config = loaded.config
    base = url or Listening(config.web).url
    key = config.auth.admin_key.reveal()
    try:
        answer = httpx.get(f"{base}/api/system/tree", headers={"Authorization": f"Bearer {key}"})
    except httpx.HTTPError as error:
        raise click.ClickException(f"{base} cannot be reached: {error}") from error
    if answer.status_code != httpx.codes.OK:
        raise click.ClickException(f"{base} answered {answer.status_code}: {answer.json().get('detail', '')}")
    printed = RichTree("root")
    for node in msgspec.json.decode(answer.content, type=Tree).children:
        _grow(printed, node)
    Console().print(printed)


# --- the database


@cli.group()
def migrate() -> None:
    """Bring the database's schema up to date, or see whether it is."""


@migrate.command("up")
@configured
def migrate_up(loaded: Loaded[Config]) -> None:
    """Apply every migration that is pending."""
    for migration in _with_database(loaded, partial(migrator.migrate, now=utc_now())):
        click.echo(f"{migration.number:04} {migration.name} applied")
    click.echo("The schema is up to date.")


@migrate.command("status")
@configured
def migrate_status(loaded: Loaded[Config]) -> None:
    """List every migration; exit code 1 while some are pending."""
    statuses = _with_database(loaded, migrator.status)
    for status in statuses:
        click.echo(f"{status.number:04} {status.name:30} {status.applied_at or 'pending'}")
    sys.exit(any(status.applied_at is None for status in statuses))


# --- what the service works with


@cli.command("check-config")
@configured
def check_config(loaded: Loaded[Config]) -> None:
    """Print the configuration that holds, secrets masked, or everything that is wrong with it."""
    click.echo(render_toml(loaded.config, loaded.sources), nl=False)


@cli.group()
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

    _with_database(loaded, save)


@cli.group()
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
    _with_database(loaded, lambda database: RuleStore(database).save_release(release))
    click.echo(f"{release.id} released at {release.released_at.isoformat()}")


@cli.command("why")
@click.argument("decision_id", type=click.UUID)
@configured
def show_decision(loaded: Loaded[Config], decision_id: UUID) -> None:
    """Print a decision from the log: what was asked, what was known, and what became of every campaign."""
    row = _with_database(loaded, lambda database: DecisionStore(database).decision(decision_id))
    Console().print_json(msgspec.json.encode(row).decode())


@cli.group()
def keys() -> None:
    """Keys for the API. The first one is auth.admin_key in the configuration."""


@keys.command("create")
@click.option("--scope", type=click.Choice([scope.value for scope in Scope]), required=True)
@click.option("--name", default="", help="What it is for.")
@configured
def create_key(loaded: Loaded[Config], scope: str, name: str) -> None:
    """Make a key and print it. It is stored as a hash only, so it is never shown again."""
    minted = _with_database(loaded, lambda database: desk.create_key(KeyStore(database), Scope(scope), name, utc_now()))
    click.echo(minted.token.reveal())


@keys.command("list")
@configured
def list_keys(loaded: Loaded[Config]) -> None:
    """List all keys; the keys themselves are not known."""
    known = _with_database(loaded, lambda database: desk.list_keys(KeyStore(database)))
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
    _with_database(loaded, lambda database: desk.revoke_key(KeyStore(database), key_id, utc_now()))
    click.echo(f"{key_id} revoked")


# --- behind the commands


def _demo_config(loaded: Loaded[Config], bind: str | None) -> Config:
    """What was configured; for the rest, an admin key of this run alone and a quiet log for people."""
    config, replace = loaded.config, msgspec.structs.replace
    if not config.auth.admin_key:
        config = replace(config, auth=replace(config.auth, admin_key=Secret(secrets.token_urlsafe(24))))
    if config.log == LogSettings():
        config = replace(config, log=replace(config.log, level="warning", format="text"))
    return config if bind is None else replace(config, web=replace(config.web, bind=bind))


def _with_database(loaded: Loaded[Config], work: Callable[[Database], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_database(loaded.config.database) as database:
            return await work(database)

    return trio.run(run)


async def _say_where(house: House) -> None:
    click.echo(f"Pulsekeeper is ready on {house.listening.url}", err=True)


async def _show_around(house: House) -> None:
    await demo.furnish_demo(house, utc_now())
    url = house.listening.url
    click.echo(
        f"""
Pulsekeeper is ready on {url}
The admin key of this run is {house.config.auth.admin_key.reveal()}

Somebody new is shown nothing:
  {demo.curl(url)}

Somebody who was last seen 40 days ago is welcomed back:
  {demo.curl(url, demo.VISITOR)}

Why? Every answer has a decisionId; another terminal shows its row of the log:
  pulsekeeper why DECISION_ID{_where(house.config)}

The API is described at {url}/docs. Ctrl-C ends the demo.
"""
    )


def _where(config: Config) -> str:
    """The option by which another command finds the same embedded database."""
    return (
        ""
        if config.database.url or config.database == type(config.database)()
        else f" --data {shlex.quote(config.database.data_dir)}"
    )


def _grow(above: RichTree, node: Node) -> None:
    mail = f"mail {node.mailbox_depth}/{node.mailbox_capacity} (peak {node.mailbox_peak})"
    branch = above.add(
        f"{node.name:12} {node.state.value:9} restarts {node.restarts}  {mail}{'  STUCK' if node.stuck else ''}"
    )
    for child in node.children:
        _grow(branch, child)
