"""A configuration as TOML, for `pulsekeeper check-config`: what holds, and who said so."""

from collections.abc import Iterator, Mapping
from typing import cast

import msgspec

from pulsekeeper.config.layers import Place, source_of
from pulsekeeper.validation import to_builtins

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def render_toml(config: msgspec.Struct, sources: Mapping[Place, str]) -> str:
    """Every setting that holds, secrets masked; what is not a default has its file or variable as a comment."""
    return "\n".join(_section(config, (), dict(sources))).strip() + "\n"


def _section(section: msgspec.Struct, place: Place, sources: dict[Place, str]) -> Iterator[str]:
    names = {field.encode_name: getattr(section, field.name) for field in msgspec.structs.fields(section)}
    if place and not all(isinstance(value, msgspec.Struct) for value in names.values()):
        yield f"\n[{'.'.join(map(_key, place))}]"
    for name, value in names.items():
        if not isinstance(value, msgspec.Struct):
            yield _line(name, value, source_of((*place, name), sources))
    for name, value in names.items():
        if isinstance(value, msgspec.Struct):
            yield from _section(value, (*place, name), sources)


def _line(name: str, value: object, source: str | None) -> str:
    line = f"# {name} is not set" if value is None else f"{_key(name)} = {toml_value(to_builtins(value))}"
    return line if source is None else f"{line}  # {' '.join(source.split())}"


def toml_value(value: object) -> str:
    """A plain value on one line of TOML; `null`, which TOML has not, is left out of tables."""
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
        return "{" + ", ".join(f"{_key(key)} = {toml_value(item)}" for key, item in members if item is not None) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, float):
        return repr(value)  # as TOML writes it, nan and inf included
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if name and _BARE.issuperset(name) else toml_value(name)
