"""Named statements: every room keeps its SQL in `queries.sql`, and its store calls each statement by name.

The file is a list of blocks, and nothing else::

    -- name: recall_visitors
    -- The rows of these visitors, with the version that a later write must find unchanged.
    select id, version from visitors where tenant = :tenant and id = any(:ids::uuid[])

A name, at least one sentence, one statement. A parameter is a colon and an identifier; `::casts`, string literals,
quoted identifiers, dollar quotes and comments are left alone. Two things are refused because they cannot be told
apart safely: a colon glued to what stands before it (write an array slice as `a[1 : n]`) and `E'…'` strings, whose
backslashes would need a parser.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import NoReturn

import msgspec

_TOKEN = re.compile(
    r"""
    (?P<escape> \b[eE]'                                                     )
  | (?P<opaque> '(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | ::
              | \$(?P<tag>(?:[A-Za-z_]\w*)?)\$ .*? \$(?P=tag)\$             )
  | (?P<open>   ['"] | /\*                                                  )
  | (?P<glued>  (?<=[\w\])]) : (?=[A-Za-z_])                                )
  | (?P<number> \$\d+                                                       )
  | :(?P<param> [A-Za-z_]\w*                                                )
    """,
    re.VERBOSE | re.DOTALL,
)
_REFUSED = {
    "escape": "E'…' strings are not understood",
    "open": "a quote or a comment is not closed",
    "glued": "a parameter needs a space before its colon",
    "number": "parameters have names, not numbers",
}
_NAME = re.compile(r"-- name: ([a-z][a-z0-9_]*)")


class Query(msgspec.Struct, frozen=True):
    """One statement, ready to be prepared by the server."""

    name: str
    doc: str
    """What it is for, from the comment above it."""
    sql: str
    """With `$1`, `$2`, … in place of the names."""
    params: tuple[str, ...]
    """The names, in the order of their numbers."""

    def bind(self, values: Mapping[str, object]) -> tuple[object, ...]:
        """The values in the order of their numbers. `TypeError` names what is missing or was not asked for."""
        try:
            bound = tuple(map(values.__getitem__, self.params))
        except KeyError:
            self._refuse(values)
        if len(bound) != len(values):
            self._refuse(values)
        return bound

    def _refuse(self, values: Mapping[str, object]) -> NoReturn:
        missing = sorted(set(self.params) - set(values))
        unknown = sorted(set(values) - set(self.params))
        raise TypeError(f"{self.name}: missing parameters {missing}, unknown parameters {unknown}")


class Queries:
    """The statements of one file, each an attribute by its name."""

    def __init__(self, source: str, queries: Mapping[str, Query]) -> None:
        self._source = source
        self._queries = dict(queries)

    def __getattr__(self, name: str) -> Query:
        try:
            return self._queries[name]
        except KeyError:
            raise AttributeError(f"{self._source} has no statement called {name!r}") from None

    def __iter__(self) -> Iterator[Query]:
        return iter(self._queries.values())


def load(package: str) -> Queries:
    """The statements in `queries.sql` of a package, for example `load("pulsekeeper.decisions")`."""
    return parse((files(package) / "queries.sql").read_text("utf-8"), f"{package}/queries.sql")


def all_queries(package: str = "pulsekeeper") -> dict[str, Queries]:
    """The statements of every room that has any, and of the rooms inside it, by the name such as `sessions.usage`."""
    found = {}
    for room in sorted(place.name for place in files(package).iterdir() if (place / "__init__.py").is_file()):
        inner = f"{package}.{room}"
        if (files(inner) / "queries.sql").is_file():
            found[room] = load(inner)
        found |= {f"{room}.{name}": queries for name, queries in all_queries(inner).items()}
    return found


def parse(text: str, source: str = "queries.sql") -> Queries:
    """Read a whole file. Raises `ValueError` that names the file and the statement at fault."""
    before, *blocks = re.split(r"^(?=-- name:)", text, flags=re.MULTILINE)
    if any(line and not line.startswith("--") for line in before.splitlines()):
        raise ValueError(f"{source}: there is SQL before the first '-- name:'")
    queries: dict[str, Query] = {}
    for block in blocks:
        query = _parse_block(block, source)
        if query.name in queries:
            raise ValueError(f"{source}: {query.name} is there twice")
        queries[query.name] = query
    return Queries(source, queries)


def inline(sql: str) -> Query:
    """A statement that has no file, for tests and tools."""
    return _compile("inline", "Written where it is used.", sql)


def _parse_block(block: str, source: str) -> Query:
    head, *lines = block.rstrip().splitlines()
    named = _NAME.fullmatch(head.rstrip())
    if named is None:
        raise ValueError(f"{source}: not a name: {head!r}")
    end_of_doc = next((i for i, line in enumerate(lines) if not line.startswith("--")), len(lines))
    doc = " ".join(line.removeprefix("--").strip() for line in lines[:end_of_doc]).strip()
    sql = "\n".join(lines[end_of_doc:]).strip().removesuffix(";")
    if not doc or not sql:
        raise ValueError(f"{source}: {named[1]} needs a sentence that says what it is for, and then a statement")
    try:
        return _compile(named[1], doc, sql)
    except ValueError as error:
        raise ValueError(f"{source}: {named[1]}: {error}") from None


def _compile(name: str, doc: str, sql: str) -> Query:
    numbers: dict[str, int] = {}

    def replaced(token: re.Match[str]) -> str:
        kind = token.lastgroup or ""
        if kind in _REFUSED:
            raise ValueError(_REFUSED[kind])
        if kind != "param":
            return token[0]
        return f"${numbers.setdefault(token['param'], len(numbers) + 1)}"

    return Query(name, doc, _TOKEN.sub(replaced, sql), tuple(numbers))
