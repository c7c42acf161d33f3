"""From layers to one typed configuration, or to everything that is wrong with it."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from pulsekeeper.config.environment import CONFIG, from_environment
from pulsekeeper.config.layers import Merged, Place, Problem, Setting, from_file, merge, source_of
from pulsekeeper.errors import Fault, Invalid
from pulsekeeper.validation import convert, place_of

S = TypeVar("S", bound=msgspec.Struct)

DEFAULT = Path("config/pulsekeeper.toml")
"""Read when no file is named and there is one in the working directory."""


class ConfigError(Invalid):
    """The configuration cannot be used. Its text is a list for people, one line for each problem."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        lines = "\n".join(f"  {problem}" for problem in problems)
        faults = [
            Fault("/" + problem.key.replace(".", "/"), f"{problem.source}: {problem.detail}") for problem in problems
        ]
        super().__init__(f"the configuration cannot be used:\n{lines}", faults)


class Loaded(msgspec.Struct, Generic[S], frozen=True):
    """A configuration and, for each setting that somebody made, the file or variable that made it."""

    config: S
    sources: dict[Place, str]


def load_as(to: type[S], paths: Sequence[Path], environ: Mapping[str, str]) -> Loaded[S]:
    """Lay `paths` (later wins) and then `environ` over the defaults of `to`.

    Without paths the file that `PULSEKEEPER_CONFIG` names is read, or else `config/pulsekeeper.toml` if it exists.
    Raises `ConfigError` with every unreadable file, unknown name and wrong value.
    """
    said = list(chain(*map(from_file, paths or _usual(environ)), from_environment(environ, to)))
    problems = [item for item in said if isinstance(item, Problem)]
    merged = merge(item for item in said if isinstance(item, Setting))
    try:
        config = convert(merged.tree, to, unknown="refuse")
    except Invalid as error:
        raise ConfigError(problems + list(_told(error.faults, merged))) from None  # the cause may hold a secret
    if problems:
        raise ConfigError(problems)
    return Loaded(config, merged.sources)


def _usual(environ: Mapping[str, str]) -> list[Path]:
    named = [Path(text) for name, text in environ.items() if name.upper() == CONFIG and text]
    return named or [path for path in [DEFAULT] if path.is_file()]


def _told(faults: Iterable[Fault], merged: Merged) -> Iterable[Problem]:
    for fault in faults:
        place = place_of(fault.pointer)
        yield Problem(source_of(place, merged.sources) or "", ".".join(place), fault.detail)
