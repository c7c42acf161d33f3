"""The service itself: run it, show it, look into it."""

import secrets
import shlex
import shutil
import sys
from datetime import datetime
from pathlib import Path

import click
import httpx
import msgspec
import trio
from rich.console import Console
from rich.tree import Tree as RichTree

from pulsekeeper import demo, errors, logs
from pulsekeeper.access.model import AdminKey
from pulsekeeper.cli.options import configured
from pulsekeeper.cli.progress import progress
from pulsekeeper.clock import utc_now
from pulsekeeper.config import Config, Loaded, LogSettings, render_toml
from pulsekeeper.house import House
from pulsekeeper.scalars import Secret
from pulsekeeper.service import run_service
from pulsekeeper.web.listening import Listening
from pulsekeeper.web.settings import Bind
from pulsekeeper.web.tree import Node, Tree

_NAME = "pulsekeeper"


def _read_bind(_context: click.Context, _option: click.Parameter, text: str | None) -> Bind | None:
    try:
        return None if text is None else Bind.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@configured
def serve(loaded: Loaded[Config]) -> None:
    """Run the service until SIGTERM or Ctrl-C."""
    trio.run(run_service, loaded.config, _say_where)


@click.command("demo")
@click.option("--bind", callback=_read_bind, help="Address and port to listen on (web.bind).")
@configured
def run_demo(loaded: Loaded[Config], bind: Bind | None) -> None:
    """Run the service with sample campaigns, a visitor who was last seen 40 days ago, and a month of sessions."""
    config = _demo_config(loaded, bind)
    logs.configure(config.log.level, config.log.format)
    click.echo("Starting Pulsekeeper and its database ...", err=True)
    trio.run(run_service, config, _show_around)


@click.command("tree")
@click.option("--url", help="Base address of the node, taken from the configuration unless given.")
@configured
def show_tree(loaded: Loaded[Config], url: str | None) -> None:
    """Print the actors of a running node; needs auth.admin_key."""
    config = loaded.config
    printed = RichTree("root")
    for node in _fetch_tree(url or Listening(config.web).url, config.auth.admin_key).children:
        _grow(printed, node)
    Console().print(printed)


@click.command("check-config")
@configured
def check_config(loaded: Loaded[Config]) -> None:
    """Print the configuration that holds, secrets masked, or everything that is wrong with it."""
    click.echo(render_toml(loaded.config, loaded.sources), nl=False)


def _demo_config(loaded: Loaded[Config], bind: Bind | None) -> Config:
    """What was configured; for the rest, an admin key of this run alone and a quiet log for people."""
    config, replace = loaded.config, msgspec.structs.replace
    if not config.auth.admin_key:
        config = replace(config, auth=replace(config.auth, admin_key=AdminKey(secrets.token_urlsafe(24))))
    if config.log == LogSettings():
        config = replace(config, log=replace(config.log, level="warning", format="text"))
    return config if bind is None else replace(config, web=replace(config.web, bind=bind))


async def _say_where(house: House) -> None:
    click.echo(f"Pulsekeeper is ready on {house.listening.url}", err=True)


async def _show_around(house: House) -> None:
    now = utc_now()
    await demo.furnish_demo(house, now)
    await _furnish_sessions(house, now)
    url, key = house.listening.url, house.config.auth.admin_key.reveal()
    click.echo(
        f"""
Pulsekeeper is ready on {url}
The admin key of this run is {key}

Somebody new is shown nothing:
  {demo.curl(url)}

Somebody who was last seen 40 days ago is welcomed back:
  {demo.curl(url, demo.VISITOR)}

Why? Every answer has a decisionId; another terminal shows its row of the log:
  {_program()} why DECISION_ID{_where(house.config)}

Who used it in the last {demo.DAYS} days, all of it made up:
  {demo.curl_metrics(url, key, now)}

A session starts, and its token goes with what happens in it:
  {demo.curl_start(url)}
  {demo.curl_ingest(url)}

The API is described at {url}/docs. Ctrl-C ends the demo.
"""
    )


async def _furnish_sessions(house: House, now: datetime) -> None:
    """Only the first time, which is the one that takes a moment."""
    if await demo.has_sessions(house):
        return
    click.echo(f"Making up {demo.DAYS} days of sessions ...", err=True)
    await demo.furnish_sessions(house, now, progress)


def _program() -> str:
    """How this command is called again: by its name if the shell finds it, otherwise by the path that was used."""
    used = Path(sys.argv[0])
    return shlex.quote(sys.argv[0]) if used.name == _NAME and shutil.which(_NAME) is None else _NAME


def _where(config: Config) -> str:
    """The option by which another command finds the same embedded database."""
    data_dir = config.database.data_dir
    is_found = bool(config.database.url) or data_dir == Config().database.data_dir
    return "" if is_found else f" --data {shlex.quote(data_dir)}"


def _fetch_tree(base: str, key: Secret) -> Tree:
    if not key:
        raise errors.Unauthorized("auth.admin_key is not set; a running node shows its tree to that key only")
    try:
        answer = httpx.get(f"{base}/api/system/tree", headers={"Authorization": f"Bearer {key.reveal()}"})
    except httpx.HTTPError as error:
        raise errors.Unavailable(f"{base} cannot be reached") from error
    if answer.status_code != httpx.codes.OK:
        reason = httpx.codes.get_reason_phrase(answer.status_code)  # Hypercorn sends none
        raise errors.PulsekeeperError(f"{base} answered {answer.status_code} {reason}")
    return msgspec.json.decode(answer.content, type=Tree)


def _grow(above: RichTree, node: Node) -> None:
    mail = f"mail {node.mailbox_depth}/{node.mailbox_capacity} (peak {node.mailbox_peak})"
    branch = above.add(
        f"{node.name:12} {node.state.value:9} restarts {node.restarts}  {mail}{'  STUCK' if node.stuck else ''}"
    )
    for child in node.children:
        _grow(branch, child)


COMMANDS = (serve, run_demo, show_tree, check_config)
