"""Say in plain English what a type expects and what a value is."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin
from uuid import UUID

from msgspec import Meta, Struct, UnsetType
from msgspec.structs import StructConfig

from pulsekeeper.scalars import Secret, is_written

ECHO = 64
"""How many characters of an input are repeated in an error at most."""

_EXPECTED: dict[object, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    bytes: "a string in base64",
    NoneType: "null",
    Any: "any value",
    Decimal: "a decimal number",
    UUID: "a UUID",
    date: "a date such as '2026-01-31'",
    datetime: "a date and time such as '2026-01-31T12:00:00Z'",
    time: "a time of day such as '12:00:00'",
    timedelta: "an ISO 8601 duration such as 'P1D'",
}
_BOUNDS = (("ge", "of at least {}"), ("gt", "above {}"), ("le", "of at most {}"), ("lt", "below {}"))
_LENGTHS = (("min_length", "of at least {} {}"), ("max_length", "of at most {} {}"))


def unwrapped(to: object) -> tuple[object, list[Meta]]:
    """The bare type behind `Annotated`, `NewType` and `type` aliases, with the constraints found on the way."""
    metas: list[Meta] = []
    while True:
        if get_origin(to) is Annotated:
            bare, *notes = get_args(to)
            metas += [note for note in notes if isinstance(note, Meta)]
        else:
            bare = getattr(to, "__supertype__", None) or getattr(to, "__value__", None)
        if bare is None:
            return to, metas
        to = bare


def alternatives(to: object) -> tuple[object, ...]:
    """The members of a union without `UNSET`; any other type is its own single alternative."""
    if get_origin(to) in {Union, UnionType}:
        return tuple(member for member in get_args(to) if member is not UnsetType)
    return (to,)


def is_struct(to: object) -> bool:
    """Whether `to` is written as an object with known keys, generic Structs included."""
    origin = get_origin(to) or to
    return isinstance(origin, type) and issubclass(origin, Struct) and not origin.__struct_config__.array_like


def struct_config(to: object) -> StructConfig:
    """How a Struct is written. Only for types of which `is_struct` is true."""
    return cast("type[Struct]", get_origin(to) or to).__struct_config__


def is_listing(to: object) -> bool:
    """Whether `to` is written as a list: lists, tuples, sets and their abstract kin."""
    origin = get_origin(to) or to
    return (
        isinstance(origin, type)
        and issubclass(origin, Collection)
        and not issubclass(origin, (str, bytes, Mapping, Enum))
    )


def is_mapping(to: object) -> bool:
    """Whether `to` is written as an object with any keys."""
    origin = get_origin(to) or to
    return isinstance(origin, type) and issubclass(origin, Mapping)


def expectation(to: object) -> str:
    """What a value of this type looks like, for the sentence "expected …": `an integer of at least 1`."""
    bare, metas = unwrapped(to)
    members = alternatives(bare)
    if len(members) > 1:
        return " or ".join(dict.fromkeys(expectation(member) for member in members))
    limits = " and ".join(limit for meta in metas for limit in _limits(meta, bare))
    return f"{_plain(members[0])} {limits}".rstrip()


def shown(value: object) -> str:
    """A value as it may be repeated to whoever sent it: short, and never the contents of a list or an object."""
    match value:
        case None | bool():
            return "null" if value is None else str(value).lower()
        case int() if value.bit_length() > 128:
            return "a very large integer"
        case str():
            return repr(value if len(value) <= ECHO else value[:ECHO] + "…")
        case Mapping():
            return f"an object with {_counted(len(value), 'key')}"
        case list() | tuple() | set() | frozenset():
            return f"a list with {_counted(len(value), 'item')}"
    return str(value)[:ECHO]


def kind(value: object) -> str:
    """What sort of value this is, without repeating it: used where it may have been meant for a secret."""
    return "a string" if isinstance(value, str) else shown(value)


def hides(to: object) -> bool:
    """Whether a value of this type could be a secret, so that it must not be repeated."""
    bare, _ = unwrapped(to)
    return any(_is_secret(unwrapped(member)[0]) for member in alternatives(bare))


def one_of(values: Sequence[object]) -> str:
    """`one of 'a', 'b'`, or the only value there is."""
    return ("one of " if len(values) > 1 else "") + ", ".join(map(shown, values))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'priority'?` with the nearest known name, or nothing when no name is near."""
    close = get_close_matches(name[:ECHO], list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _is_secret(to: object) -> bool:
    return isinstance(to, type) and issubclass(to, Secret)


def _plain(to: object) -> str:
    if to in _EXPECTED:
        return _EXPECTED[to]
    if is_written(to):
        return to.EXPECTED
    if get_origin(to) is Literal:
        return one_of(get_args(to))
    if isinstance(to, type) and issubclass(to, Enum):
        return one_of([member.value for member in to])
    if is_struct(to) or is_mapping(to):
        return "an object"
    return "a list" if is_listing(to) else getattr(to, "__name__", str(to))


def _limits(meta: Meta, bare: object) -> Iterator[str]:
    for name, words in _BOUNDS:
        if (bound := getattr(meta, name)) is not None:
            yield words.format(bound)
    for name, words in _LENGTHS:
        if (length := getattr(meta, name)) is not None:
            unit = "character" if bare is str else "item"
            yield words.format(length, unit if length == 1 else unit + "s")
    if meta.multiple_of is not None:
        yield f"divisible by {meta.multiple_of}"
    if meta.pattern is not None:
        yield meta.description or f"matching {meta.pattern!r}"  # a description goes on from "a string"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
