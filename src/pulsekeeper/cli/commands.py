"""All commands together, and the sentences and exit codes of what can go wrong.

Exit codes: 1 when something failed, 2 when the command line or the configuration is wrong, 130 when it was interrupted.
"""

import sys
from typing import NoReturn

import click

from pulsekeeper import __version__, errors
from pulsekeeper.actors.supervisor import BudgetSpent
from pulsekeeper.cli import access, audit, campaigns, database, decisions, releases, running, salts, seeding, sessions
from pulsekeeper.cli.interrupts import INTERRUPTED
from pulsekeeper.cli.options import die
from pulsekeeper.config import ConfigError
from pulsekeeper.service import GraceExceeded, Interrupted
from pulsekeeper.web.listening import CannotListen
from pulsekeeper.web.tls import UnusableCertificate

_FAILED, _MISUSED = 1, 2
_EXPECTED = (errors.PulsekeeperError, GraceExceeded, CannotListen)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pulsekeeper")
def cli() -> None:
    """A self-hosted engagement runtime: it knows who is alive, and decides what to show them."""


for command in (
    *running.COMMANDS,
    *database.COMMANDS,
    *campaigns.COMMANDS,
    *releases.COMMANDS,
    *decisions.COMMANDS,
    *audit.COMMANDS,
    *salts.COMMANDS,
    *sessions.COMMANDS,
    *seeding.COMMANDS,
    *access.COMMANDS,
):
    cli.add_command(command)


def run() -> NoReturn:
    """Do what the command line says."""
    try:
        cli(prog_name="pulsekeeper")
    except (ConfigError, UnusableCertificate) as error:
        die(str(error), _MISUSED)
    except errors.Invalid as error:
        die("\n".join([error.detail, *_further(error)]), _FAILED)
    except Interrupted as error:
        die(str(error), INTERRUPTED)
    except BudgetSpent as error:
        die(f"gave up, because {_root_of(error)}", _FAILED)
    except errors.Unavailable as error:
        die(f"{error.detail} ({_root_of(error)})" if error.__cause__ else error.detail, _FAILED)
    except _EXPECTED as error:
        die(str(error), _FAILED)
    sys.exit(0)


def _further(error: errors.Invalid) -> list[str]:
    """The faults, unless there is one only and the sentence above has said it already."""
    is_said = len(error.faults) == 1 and error.detail.endswith(error.faults[0].detail)
    return [] if is_said else [f"  {fault.pointer}: {fault.detail}" for fault in error.faults]


def _root_of(error: BaseException) -> BaseException:
    inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__
    return error if inner is None else _root_of(inner)
