"""The two files in `config/`: the operator's manual says what the code does, and what differs on a laptop is valid."""

import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from pulsekeeper.config import Config, load
from pulsekeeper.validation import to_builtins

CONFIG = Path(__file__).parents[2] / "config"
REFERENCE = CONFIG / "pulsekeeper.toml"


def settings(section: msgspec.Struct, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for field in msgspec.structs.fields(section):
        value = getattr(section, field.name)
        inner = (*place, field.encode_name)
        yield from settings(value, inner) if isinstance(value, msgspec.Struct) else iter([inner])


def written(table: dict[str, object], place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in table.items():
        yield from written(value, (*place, key)) if isinstance(value, dict) else iter([(*place, key)])


def test_the_reference_has_every_setting_in_the_order_of_the_code_and_no_other() -> None:
    assert list(written(tomllib.loads(REFERENCE.read_text()))) == list(settings(Config()))


def test_the_reference_has_the_defaults() -> None:
    assert to_builtins(load([REFERENCE], {}).config) == to_builtins(Config())


def is_sentence(line: str) -> bool:
    return line.startswith("# ") and line.endswith(".")


@pytest.mark.parametrize("path", [REFERENCE, CONFIG / "development.toml"], ids=lambda path: path.name)
def test_every_setting_has_a_sentence_above_it(path: Path) -> None:
    lines = path.read_text().splitlines()
    silent = [line for above, line in pairwise(lines) if " = " in line and not is_sentence(above) and line[0] != "#"]

    assert silent == []


def test_the_laptops_file_is_valid_on_top_of_the_reference() -> None:
    config = load([REFERENCE, CONFIG / "development.toml"], {}).config

    assert (config.log.format, config.decisions.environment) == ("text", "development")
