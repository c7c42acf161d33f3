"""Walk a refused value beside its type and find everything that is wrong with it.

Structs, mappings, lists and unions are taken apart, as far down as msgspec objects; what has no parts is then at fault
itself. A whole is at fault where all of its parts are well: that is what is wrong *between* the parts (lengths,
`__post_init__`). Where a part is at fault the whole keeps quiet, for its objection is most likely a consequence.
"""

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import msgspec

from pulsekeeper.errors import Fault
from pulsekeeper.validation.describe import (
    ECHO,
    alternatives,
    did_you_mean,
    expectation,
    hides,
    is_listing,
    is_mapping,
    is_struct,
    kind,
    one_of,
    shown,
    struct_config,
    unwrapped,
)
from pulsekeeper.validation.hooks import decode_hook

DEEPEST = 32
"""How many levels of lists and objects an input may have."""

Place = tuple[str, ...]
"""The keys and indexes that lead to a value, from the outside in."""


def pointer(place: Place) -> str:
    """A place as an RFC 6901 JSON pointer. Absurdly long keys are cut, so that an error stays readable."""
    return "".join("/" + token[:ECHO].replace("~", "~0").replace("/", "~1") for token in place)


def place_of(pointer: str) -> Place:
    """The way back from a JSON pointer to the place, as far as keys were not cut."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


def faults(value: object, to: object, *, refuse: bool, place: Place = ()) -> Iterator[Fault]:
    """Everything that keeps `value` from being a `to`, lazily; with `refuse`, unknown keys of any Struct too."""
    if len(place) > DEEPEST:
        yield Fault(pointer(place), f"nested deeper than {DEEPEST} levels")
        return
    objection = _objection(value, to)
    if objection is None and not refuse:
        return  # nothing inside can be wrong
    flawless = True
    for fault in _inside(value, to, refuse, place):
        flawless = False
        yield fault
    if flawless and objection is not None:
        yield Fault(pointer(place), _sentence(value, to, objection.__cause__))


def nuls(value: object, place: Place = ()) -> Iterator[Fault]:
    """Every string and key with a NUL character: PostgreSQL cannot store one."""
    if isinstance(value, str) and "\0" in value:
        yield Fault(pointer(place), "contains a NUL character, which cannot be stored")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from nuls(item, (*place, str(index)))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _nul_key(key, place)
            yield from nuls(item, (*place, key))


def _nul_key(key: str, place: Place) -> Iterator[Fault]:
    if "\0" in key:
        yield Fault(pointer(place), "has a key with a NUL character, which cannot be stored")


def _inside(value: object, to: object, refuse: bool, place: Place) -> Iterator[Fault]:
    bare, _ = unwrapped(to)
    members = [unwrapped(member)[0] for member in alternatives(bare)]
    fitting = [member for member in members if _fits(value, member)]
    if len(fitting) == 1:
        yield from _parts(value, fitting[0], refuse, place)
    elif isinstance(value, Mapping):
        yield from _wrong_tag(value, [member for member in members if is_struct(member)], place)


def _fits(value: object, to: object) -> bool:
    if isinstance(value, Mapping):
        return is_mapping(to) or (is_struct(to) and _tag_fits(value, to))
    return isinstance(value, (list, tuple)) and is_listing(to)


def _tag_fits(value: Mapping[str, object], to: object) -> bool:
    config = struct_config(to)
    return config.tag_field is None or value.get(config.tag_field, config.tag) == config.tag


def _wrong_tag(value: Mapping[str, object], structs: list[object], place: Place) -> Iterator[Fault]:
    configs = [struct_config(struct) for struct in structs]
    field = configs[0].tag_field if configs else None
    if field is not None:
        wanted = one_of([config.tag for config in configs])
        got = f"expected {wanted}, got {shown(value[field])}" if field in value else f"missing: expected {wanted}"
        yield Fault(pointer((*place, field)), got)


def _parts(value: object, to: object, refuse: bool, place: Place) -> Iterator[Fault]:
    if isinstance(value, Mapping):
        take_apart = _members if is_struct(to) else _entries
        yield from take_apart(value, to, refuse, place)
    elif isinstance(value, (list, tuple)):
        yield from _items(value, to, refuse, place)


def _members(value: Mapping[str, object], to: object, refuse: bool, place: Place) -> Iterator[Fault]:
    fields = msgspec.structs.fields(to)  # type: ignore[arg-type]  # `is_struct` was asked before
    config = struct_config(to)
    known = [field.encode_name for field in fields] + ([config.tag_field] if config.tag_field else [])
    for field in fields:
        inner = (*place, field.encode_name)
        if field.encode_name in value:
            yield from faults(value[field.encode_name], field.type, refuse=refuse, place=inner)
        elif field.required:
            yield Fault(pointer(inner), f"missing: expected {expectation(field.type)}")
    if refuse or config.forbid_unknown_fields:
        yield from _strangers(value, known, place)


def _strangers(value: Mapping[str, object], known: list[str], place: Place) -> Iterator[Fault]:
    for key in value:
        if key not in known:
            yield Fault(pointer((*place, str(key))), f"unknown key {shown(key)}{did_you_mean(str(key), known)}")


def _entries(value: Mapping[str, object], to: object, refuse: bool, place: Place) -> Iterator[Fault]:
    key_type, item_type = get_args(to) or (Any, Any)
    for key, item in value.items():
        inner = (*place, str(key))
        if not _is_key(key, key_type):
            yield Fault(pointer(inner), f"as a key, expected {expectation(key_type)}, got {shown(key)}")
        yield from faults(item, item_type, refuse=refuse, place=inner)


def _is_key(key: object, to: object) -> bool:
    return _objection({key: None}, dict[to, None]) is None  # type: ignore[valid-type]  # known at run time only


def _items(value: list[object] | tuple[object, ...], to: object, refuse: bool, place: Place) -> Iterator[Fault]:
    types = get_args(to)
    if get_origin(to) is not tuple or types[1:] == (...,):
        types = (types[0] if types else Any,) * len(value)
    if len(types) == len(value):  # a tuple of the wrong length is wrong as a whole
        for index, (item, item_type) in enumerate(zip(value, types, strict=True)):
            yield from faults(item, item_type, refuse=refuse, place=(*place, str(index)))


def _objection(value: object, to: object) -> Exception | None:
    try:
        msgspec.convert(value, to, dec_hook=decode_hook, str_keys=True)
    except (msgspec.ValidationError, RecursionError) as error:
        return error
    return None


def _sentence(value: object, to: object, cause: BaseException | None) -> str:
    if isinstance(cause, ValueError) and not hides(to):
        return str(cause)
    bare, _ = unwrapped(to)
    if hides(to) or any(is_struct(member) for member in alternatives(bare)):
        return f"expected {expectation(to)}" + ("" if hides(to) else f", got {kind(value)}")
    return f"expected {expectation(to)}, got {shown(value)}"
