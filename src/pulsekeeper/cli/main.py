"""The entry point of the command `pulsekeeper`."""

from typing import NoReturn

from pulsekeeper.cli.interrupts import leave_at_once


def main() -> NoReturn:
    """Load everything, which takes a moment, and then do what the command line says."""
    leave_at_once()
    from pulsekeeper.cli.commands import run  # noqa: PLC0415  # only now, when Ctrl-C is taken care of

    run()
