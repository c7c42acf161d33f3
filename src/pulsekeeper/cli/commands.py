"""All commands together, and the sentences and exit codes of what can go wrong.

Exit codes: 1 when something failed, 2 when the command line or the configuration is wrong, 130 when it was interrupted.
"""

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import NoReturn

import click

from pulsekeeper import __version__, errors
from pulsekeeper.cli.interrupts import INTERRUPTED
from pulsekeeper.cli.options import die
from pulsekeeper.config import ConfigError
from pulsekeeper.web.tls import UnusableCertificate

_FAILED, _MISUSED = 1, 2

MODULES: Mapping[str, str] = {
    "campaigns": "campaigns",
    "check-config": "running",
    "demo": "running",
    "keys": "access",
    "maintain": "maintenance",
    "migrate": "database",
    "releases": "releases",
    "replay": "audit",
    "salts": "salts",
    "seed": "seeding",
    "serve": "running",
    "sessions": "sessions",
    "tree": "running",
    "why": "decisions",
}
"""In which module each command is. Only that one is loaded: all of them take a second."""


class _Commands(click.Group):
    def list_commands(self, _context: click.Context) -> list[str]:
        return sorted(MODULES)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in MODULES:
            return None
        commands: tuple[click.Command, ...] = import_module(f"pulsekeeper.cli.{MODULES[name]}").COMMANDS
        return next(command for command in commands if command.name == name)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pulsekeeper")
def cli() -> None:
    """A self-hosted engagement runtime: it knows who is alive, and decides what to show them."""


def run() -> NoReturn:
    """Do what the command line says."""
    try:
        cli(prog_name="pulsekeeper")
    except (ConfigError, UnusableCertificate) as error:  # before the kinds of error that these belong to
        die(str(error), _MISUSED)
    except errors.Invalid as error:
        die("\n".join([error.detail, *_further(error)]), _FAILED)
    except errors.Unavailable as error:
        die(f"{error.detail} ({_root_of(error)})" if error.__cause__ else error.detail, _FAILED)
    except errors.PulsekeeperError as error:
        die(str(error), _FAILED)
    except Exception as error:
        _explain(error)
        raise
    sys.exit(0)


def _explain(error: Exception) -> None:
    """End with a sentence if this is no bug. Imported only here: whoever has raised one of these has loaded it."""
    from pulsekeeper.actors.supervisor import BudgetSpent  # noqa: PLC0415  # see above
    from pulsekeeper.service import GraceExceeded, Interrupted  # noqa: PLC0415  # the same
    from pulsekeeper.web.listening import CannotListen  # noqa: PLC0415  # the same

    match error:
        case Interrupted():
            die(str(error), INTERRUPTED)
        case BudgetSpent():
            die(f"gave up, because {_root_of(error)}", _FAILED)
        case GraceExceeded() | CannotListen():
            die(str(error), _FAILED)


def _further(error: errors.Invalid) -> list[str]:
    """The faults, unless there is one only and the sentence above has said it already."""
    is_said = len(error.faults) == 1 and error.detail.endswith(error.faults[0].detail)
    return [] if is_said else [f"  {fault.pointer}: {fault.detail}" for fault in error.faults]


def _root_of(error: BaseException) -> BaseException:
    inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__
    return error if inner is None else _root_of(inner)
