"""What may be written in an expression, and everything that speaks against one."""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

import cel

from pulsekeeper.decisions.rules import rehearsal

VARIABLES: Mapping[str, frozenset[str]] = {
    "release": frozenset(),
    "flags": frozenset(),
    "visitor": frozenset({"kind", "firstVisit", "lastReleaseSeen", "daysSinceLastSeen"}),
    "visits": frozenset({"today", "thisWeek", "total"}),
    "attributes": frozenset(),
    "now": frozenset(),
    "auth": frozenset({"authenticated", "roles"}),
}
"""The variables, with their members where these are fixed."""
OPEN = "attributes"
"""The variable whose members are whatever a client sends."""

FUNCTIONS = frozenset(
    {"contains", "endsWith", "startsWith", "size", "string", "int", "uint", "double", "duration", "timestamp"}
    | {"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"}
    | {"getHours", "getMinutes", "getSeconds", "getMilliseconds"}
)
MACROS = frozenset({"all", "exists", "exists_one", "existsOne", "filter"})
MOST_MACROS = 2
LONGEST_BODY = 60
"""In tokens: names, literals and signs."""

_TOKEN = re.compile(r"\"[^\"\\\n]*\"|'[^'\\\n]*'|[A-Za-z_]\w*|[0-9]\w*(?:\.[0-9]\w*)?|[^\s]", re.ASCII)

_SYNTAX = re.compile(
    r"ERROR: <input>:(?P<line>\d+):(?P<column>\d+): "
    r"(?:Syntax error: .*? (?:input|at:) '(?P<it>.*?)'(?: expecting .*)?$|(?P<what>.*))",
    re.MULTILINE,
)


def faults(source: str) -> list[str]:
    """Everything that speaks against an expression, in sentences; empty when it can be used."""
    if unreadable := _unreadable(source):
        return [unreadable]
    try:
        program = cel.compile(source)
    except ValueError as error:
        return [f"the expression does not compile: {_complaint(error)}"]
    except BaseException as error:
        if is_panic(error):
            return ["the expression does not compile"]
        raise
    references, tokens = program.references(), _TOKEN.findall(source)
    macros = _macros(tokens)
    return [
        *_unknown_names(references["variables"], tokens, macros),
        *_unknown_members(tokens),
        *(f"unknown function {name!r}" for name in references["functions"] if _is_unknown_function(name)),
        *_costly(tokens, macros),
    ]


def objections(source: str) -> list[str]:
    """What speaks against keeping an expression: its faults, or, where it has none, what a rehearsal shows."""
    if found := faults(source):
        return found
    complaint = rehearsal.complaint(cel.compile(source))
    return [] if complaint is None else [complaint]


def looked_at(source: str, variables: Collection[str]) -> frozenset[str]:
    """The members of `variables` that an expression without faults can see, `visits.today`; else the whole, `flags`.

    Whoever names a variable without a member may see all of it. For this, too little would be wrong, too much is not.
    """
    tokens = _TOKEN.findall(source)
    places = (at for at, token in enumerate(tokens) if token in variables and (at == 0 or tokens[at - 1] != "."))
    return frozenset(path for at in places for path in _paths(tokens, at))


def is_panic(error: BaseException) -> bool:
    """Whether it is a panic of the Rust library, which arrives as a BaseException of a class that nobody can import."""
    return type(error).__name__ == "PanicException"


def _paths(tokens: list[str], at: int) -> Collection[str]:
    """What the variable at a place is looked at for."""
    whole = [f"{tokens[at]}.{member}" for member in VARIABLES[tokens[at]]] or [tokens[at]]
    dot, member, after = [*tokens[at + 1 : at + 4], "", "", ""][:3]
    path = f"{tokens[at]}.{member}"
    is_member = dot == "." and after != "(" and (path in whole or (tokens[at] == OPEN and member.isidentifier()))
    return [path] if is_member else whole


class _Macro(NamedTuple):
    """Where a macro stands among the tokens: its name, its closing parenthesis, and the variable that it binds."""

    at: int
    end: int
    bound: str


def _unreadable(source: str) -> str | None:
    if "\\" in source or '"""' in source or "'''" in source:
        return "strings have no escapes and stand in single or double quotes"
    tokens = _TOKEN.findall(source)
    if '"' in tokens or "'" in tokens:
        return "a string is not closed"
    if any(tokens[at] == "/" and tokens[at + 1] == "/" for at in range(len(tokens) - 1)):
        return "there is no room for comments"
    return None


def _macros(tokens: list[str]) -> list[_Macro]:
    calls = [at for at in range(1, len(tokens) - 2) if _is_macro(tokens, at)]
    return [_Macro(at, _closing(tokens, at + 1), tokens[at + 2]) for at in calls]


def _is_macro(tokens: list[str], at: int) -> bool:
    return tokens[at] in MACROS | {"map"} and tokens[at - 1] == "." and tokens[at + 1] == "("


def _closing(tokens: list[str], opening: int) -> int:
    depth = 0
    for at in range(opening, len(tokens)):
        depth += (tokens[at] == "(") - (tokens[at] == ")")
        if depth == 0:
            return at
    return len(tokens)


def _unknown_names(names: list[str], tokens: list[str], macros: list[_Macro]) -> list[str]:
    bound = {macro.bound for macro in macros} - VARIABLES.keys()
    strays = {
        token
        for at, token in enumerate(tokens)
        if token in bound
        and tokens[at - 1] != "."
        and not any(macro.bound == token and macro.at < at < macro.end for macro in macros)
    }
    unknown = strays | (set(names) - bound - VARIABLES.keys())
    return [f"unknown variable {name!r}; there are {', '.join(VARIABLES)}" for name in sorted(unknown)]


def _unknown_members(tokens: list[str]) -> list[str]:
    return [
        f"{tokens[at]!r} has no {tokens[at + 2]!r}; it has {', '.join(sorted(members))}"
        for at in range(len(tokens) - 2)
        if (members := VARIABLES.get(tokens[at]))
        and tokens[at + 1] == "."
        and tokens[at - 1] != "."
        and tokens[at + 2] not in members
    ]


def _is_unknown_function(name: str) -> bool:
    return name.isidentifier() and name not in FUNCTIONS


def _costly(tokens: list[str], macros: list[_Macro]) -> list[str]:
    found = []
    if len(macros) > MOST_MACROS:
        found.append(f"at most {MOST_MACROS} of {', '.join(sorted(MACROS))} may be used")
    if any(one.at < other.at < one.end for one in macros for other in macros):
        found.append("macros may not stand inside of each other")
    if any(not tokens[macro.at - 2].isidentifier() for macro in macros):
        found.append("a macro needs a named list in front of it, such as flags.exists(…)")
    if any(macro.end - macro.at > LONGEST_BODY for macro in macros):
        found.append(f"what stands in a macro may have at most {LONGEST_BODY} tokens")
    if any(tokens[macro.at] == "map" for macro in macros):
        found.append("'map' is not available; use exists, all or filter")
    return found


def _complaint(error: ValueError) -> str:
    """What the parser says first, without its names for parts of the grammar."""
    if "Recursion limit" in str(error):
        return "it is nested too deeply"
    found = _SYNTAX.search(str(error))
    if found is None:
        return "it cannot be parsed"
    here = (
        "it ends too early" if found["it"] == "<EOF>" else f"{(found['it'] or '').strip()[:64]!r} does not belong there"
    )
    return f"{(found['what'] or here)[:200]}, at line {found['line']}, column {found['column']}"
