"""Every command is found, in the module that has it."""

from importlib import import_module
from pathlib import Path

import pulsekeeper.cli
from pulsekeeper.cli.commands import MODULES


def test_all_commands_of_all_modules_are_there() -> None:
    modules = {path.stem for path in Path(pulsekeeper.cli.__file__).parent.glob("*.py")}
    loaded = {module: import_module(f"pulsekeeper.cli.{module}") for module in modules}

    assert {
        command.name: module for module, found in loaded.items() for command in getattr(found, "COMMANDS", ())
    } == MODULES
