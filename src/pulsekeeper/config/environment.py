"""Settings from environment variables: `PULSEKEEPER_WEB__BIND` is `bind` in the section `web`.

Names are known beforehand, from the Structs, so that a mistyped one is refused like a mistyped key. Secrets may also
come from a file, `PULSEKEEPER_AUTH__ADMIN_KEY_FILE`, since variables are seen by all who can look into the process.
"""

import tomllib
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Literal, NamedTuple, get_args, get_origin

import msgspec

from pulsekeeper.config.layers import Place, Problem, Setting, read_bytes
from pulsekeeper.scalars import is_written
from pulsekeeper.validation.describe import alternatives, did_you_mean, hides, is_listing, is_struct, unwrapped

PREFIX = "PULSEKEEPER_"
CONFIG = "PULSEKEEPER_CONFIG"
"""Names a configuration file; no setting itself."""

_ALIASES = {"DATABASE_URL": ("database", "url"), "PULSEKEEPER_DATA_DIR": ("database", "data_dir")}
_SECRET_LIMIT = 65_536


class Variable(NamedTuple):
    """What one environment variable sets."""

    place: Place
    type: object
    is_file: bool


def variables(to: type[msgspec.Struct]) -> dict[str, Variable]:
    """Every variable that is understood, by its name in capitals; the later of two for one setting wins."""
    leaves = dict(_leaves(to, ()))
    known = {name: Variable(place, leaves[place], False) for name, place in _ALIASES.items() if place in leaves}
    for place, leaf in leaves.items():
        name = PREFIX + "__".join(place).upper()
        known[name] = Variable(place, leaf, False)
        if hides(leaf):
            known[name + "_FILE"] = Variable(place, leaf, True)
    return known


def from_environment(environ: Mapping[str, str], to: type[msgspec.Struct]) -> Iterator[Setting | Problem]:
    """The settings in the environment, the aliases first; unknown names and unreadable files as problems."""
    known = variables(to)
    given = {name.upper(): text for name, text in environ.items() if name.upper() in known or _is_ours(name)}
    for name in given:
        if name not in known and name != CONFIG:
            yield Problem(name, "", f"no setting has this name{did_you_mean(name, known)}")
    for name, variable in known.items():
        if name in given and (given[name] or name not in _ALIASES):
            yield _setting(name, given[name], variable, given)


def _is_ours(name: str) -> bool:
    return name.upper().startswith(PREFIX)


def _leaves(to: object, place: Place) -> Iterator[tuple[Place, object]]:
    if not is_struct(to):
        yield place, to
        return
    for field in msgspec.structs.fields(to):  # type: ignore[arg-type]  # `is_struct` was asked before
        yield from _leaves(field.type, (*place, field.encode_name))


def _setting(name: str, text: str, variable: Variable, given: Mapping[str, str]) -> Setting | Problem:
    if not variable.is_file:
        return Setting(variable.place, value_of(text, variable.type), name)
    if name.removesuffix("_FILE") in given:
        return Problem(name, "", f"set either this or {name.removesuffix('_FILE')}, not both")
    try:
        content = read_bytes(Path(text), _SECRET_LIMIT).decode()
    except (OSError, ValueError) as error:
        return Problem(name, "", f"the file {text!r} cannot be read: {getattr(error, 'strerror', None) or 'not text'}")
    secret = content.removesuffix("\n").removesuffix("\r")
    return Setting(variable.place, secret, name) if secret else Problem(name, "", f"the file {text!r} is empty")


def value_of(text: str, to: object) -> object:
    """What a variable's text means for a setting of this type.

    Text stays as it is. Everything else is a TOML literal, lists also `a, b` or JSON. What is no literal stays text,
    too, for the validation to refuse it with the right sentence.
    """
    types = [unwrapped(member)[0] for member in alternatives(unwrapped(to)[0])]
    if not text and type(None) in types:
        return None
    if any(map(_is_text, types)):
        return text
    listings = [member for member in types if is_listing(member)]
    return _listed(text, listings[0]) if listings else _literal(text)


def _is_text(to: object) -> bool:
    if get_origin(to) is Literal:
        return all(isinstance(value, str) for value in get_args(to))
    return to is str or is_written(to) or (isinstance(to, type) and issubclass(to, Enum))


def _literal(text: str) -> object:
    try:
        table = tomllib.loads("it = " + (text.lower() if text.lower() in {"true", "false"} else text))
    except (ValueError, RecursionError):
        return text
    return table["it"] if len(table) == 1 else text


def _listed(text: str, to: object) -> object:
    if text.lstrip().startswith("["):
        return _array(text)
    item_type = (get_args(to) or (str,))[0]
    return [value_of(item.strip(), item_type) for item in text.split(",") if item.strip()]


def _array(text: str) -> object:
    """A list in TOML, or else in JSON, which most tools write and which differs as soon as there are tables in it."""
    literal = _literal(text)
    if literal is not text:
        return literal
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text
