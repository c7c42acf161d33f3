"""Settings from files, and how layers of settings become one."""

import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

Place = tuple[str, ...]
"""A setting's section and key: `("web", "bind")`."""

_FILE_LIMIT = 1_048_576


class Setting(NamedTuple):
    """One value and where it was said: the path of a file or the name of a variable."""

    place: Place
    value: object
    source: str


class Problem(NamedTuple):
    """What is wrong, where it was said, and with which dotted key, if any."""

    source: str
    key: str
    detail: str

    def __str__(self) -> str:
        return ": ".join(part for part in self if part)


class Merged(NamedTuple):
    """All layers in one: the values as nested tables, and the source of each."""

    tree: dict[str, object]
    sources: dict[Place, str]


def from_file(path: Path) -> Iterator[Setting | Problem]:
    """The settings in a TOML file; a file that cannot be read is a problem, with the position where there is one."""
    try:
        tables = tomllib.loads(read_bytes(path, _FILE_LIMIT).decode())
    except OSError as error:
        yield Problem(str(path), "", f"cannot be read: {error.strerror or error}")
    except UnicodeDecodeError as error:
        yield Problem(str(path), "", f"is not UTF-8: {error.reason} at byte {error.start}")
    except ValueError as error:
        yield Problem(str(path), "", f"is not TOML: {error}")
    except RecursionError:
        yield Problem(str(path), "", "is nested too deeply")
    else:
        yield from _flat(tables, (), str(path))


def merge(settings: Iterable[Setting]) -> Merged:
    """Lay settings upon each other; of two for the same place the later one holds."""
    merged = Merged({}, {})
    for setting in settings:
        *sections, key = setting.place
        table = _table(merged.tree, sections)
        if setting.value == {} and isinstance(table.get(key), dict):
            continue  # an empty section takes nothing away
        table[key] = setting.value
        merged.sources[setting.place] = setting.source
    return merged


def source_of(place: Place, sources: dict[Place, str]) -> str | None:
    """Where a place's value comes from: said for itself, for what encloses it, or for something inside it."""
    for length in range(len(place), 0, -1):
        if place[:length] in sources:
            return sources[place[:length]]
    inside = dict.fromkeys(source for other, source in sources.items() if other[: len(place)] == place)
    return ", ".join(inside) or None


def read_bytes(path: Path, limit: int) -> bytes:
    """What is in a file. Raises `OSError`, also when there are more than `limit` bytes."""
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(f"larger than {limit} bytes")
    return content


def _flat(table: dict[str, object], place: Place, source: str) -> Iterator[Setting]:
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, (*place, key), source)
        else:
            yield Setting((*place, key), value, source)


def _table(tree: dict[str, object], sections: list[str]) -> dict[str, object]:
    for section in sections:
        inner = tree.get(section)
        if not isinstance(inner, dict):
            inner = tree[section] = {}
        tree = inner
    return tree
