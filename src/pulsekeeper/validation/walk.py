"""Walk a refused value beside its type and find everything that is wrong with it.

Structs, mappings, lists and unions are taken apart, as far down as msgspec objects; what has no parts is then at fault
itself. A whole is at fault where all of its parts are well: that is what is wrong *between* the parts (lengths,
`__post_init__`). Where a part is at fault the whole keeps quiet, for its objection is most likely a consequence;
unless the whole names the members that contradict each other, and the part at fault is none of these.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, get_args, get_origin

import msgspec

from pulsekeeper.errors import Contradiction, Fault
from pulsekeeper.validation.describe import (
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
from pulsekeeper.validation.places import Place, place_of, pointer

DEEPEST = 32
"""How many levels of lists and objects an input may have."""


class Strangers(NamedTuple):
    """What becomes of keys that nobody knows, where a Struct does not forbid them itself."""

    refused: bool
    tolerated_in: tuple[type, ...] = ()
    """Structs within which, down to the last member, they are ignored all the same."""

    def within(self, to: object) -> "Strangers":
        """What becomes of them inside of a value of this type."""
        return Strangers(False) if to in self.tolerated_in else self


def faults(value: object, to: object, strangers: Strangers, place: Place = ()) -> Iterator[Fault]:
    """Everything that keeps `value` from being a `to`, refused keys that nobody knows included; lazily."""
    if len(place) > DEEPEST:
        yield Fault(pointer(place), f"nested deeper than {DEEPEST} levels")
        return
    objection = _objection(value, to)
    if objection is None and not strangers.refused:
        return  # nothing inside can be wrong
    flawed: set[str] = set()
    for fault in _inside(value, to, strangers, place):
        flawed.update(place_of(fault.pointer)[len(place) : len(place) + 1])
        yield fault
    if objection is not None:
        yield from _between(value, to, objection, flawed, place)


def _between(value: object, to: object, objection: Exception, flawed: set[str], place: Place) -> Iterator[Fault]:
    """What is wrong between the parts; of those that are not `flawed`, in an object."""
    rest: Exception | None = objection
    if flawed:
        rest = _objection(_without(value, flawed), to) if isinstance(value, Mapping) else None
    if rest is not None and isinstance(rest.__cause__, Contradiction):
        for clash in rest.__cause__.clashes:
            if flawed.isdisjoint(clash.members):
                yield Fault(pointer((*place, clash.members[0])), clash.detail)
    elif not flawed:
        yield Fault(pointer(place), _sentence(value, to, objection.__cause__))


def _without(value: Mapping[str, object], keys: set[str]) -> Mapping[str, object]:
    return {key: item for key, item in value.items() if key not in keys}


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


def _inside(value: object, to: object, strangers: Strangers, place: Place) -> Iterator[Fault]:
    bare, _ = unwrapped(to)
    members = [unwrapped(member)[0] for member in alternatives(bare)]
    fitting = [member for member in members if _fits(value, member)]
    if len(fitting) == 1:
        yield from _parts(value, fitting[0], strangers.within(fitting[0]), place)
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


def _parts(value: object, to: object, strangers: Strangers, place: Place) -> Iterator[Fault]:
    if isinstance(value, Mapping):
        take_apart = _members if is_struct(to) else _entries
        yield from take_apart(value, to, strangers, place)
    elif isinstance(value, (list, tuple)):
        yield from _items(value, to, strangers, place)


def _members(value: Mapping[str, object], to: object, strangers: Strangers, place: Place) -> Iterator[Fault]:
    fields = msgspec.structs.fields(to)  # type: ignore[arg-type]  # `is_struct` was asked before
    config = struct_config(to)
    known = [field.encode_name for field in fields] + ([config.tag_field] if config.tag_field else [])
    for field in fields:
        inner = (*place, field.encode_name)
        if field.encode_name in value:
            yield from faults(value[field.encode_name], field.type, strangers, inner)
        elif field.required:
            yield Fault(pointer(inner), f"missing: expected {expectation(field.type)}")
    if strangers.refused or config.forbid_unknown_fields:
        yield from _strangers(value, known, place)


def _strangers(value: Mapping[str, object], known: list[str], place: Place) -> Iterator[Fault]:
    for key in value:
        if key not in known:
            yield Fault(pointer((*place, str(key))), f"unknown key {shown(key)}{did_you_mean(str(key), known)}")


def _entries(value: Mapping[str, object], to: object, strangers: Strangers, place: Place) -> Iterator[Fault]:
    key_type, item_type = get_args(to) or (Any, Any)
    for key, item in value.items():
        inner = (*place, str(key))
        if not _is_key(key, key_type):
            yield Fault(pointer(inner), f"as a key, expected {expectation(key_type)}, got {shown(key)}")
        yield from faults(item, item_type, strangers, inner)


def _is_key(key: object, to: object) -> bool:
    return _objection({key: None}, dict[to, None]) is None  # type: ignore[valid-type]  # known at run time only


def _items(value: list[object] | tuple[object, ...], to: object, strangers: Strangers, place: Place) -> Iterator[Fault]:
    types = get_args(to)
    if get_origin(to) is not tuple or types[1:] == (...,):
        types = (types[0] if types else Any,) * len(value)
    if len(types) == len(value):  # a tuple of the wrong length is wrong as a whole
        for index, (item, item_type) in enumerate(zip(value, types, strict=True)):
            yield from faults(item, item_type, strangers, (*place, str(index)))


def _objection(value: object, to: object) -> Exception | None:
    try:
        msgspec.convert(value, to, dec_hook=decode_hook, str_keys=True)
    except (msgspec.ValidationError, RecursionError) as error:
        return error
    return None


def _sentence(value: object, to: object, cause: BaseException | None) -> str:
    if isinstance(cause, ValueError):
        return str(cause)
    bare, _ = unwrapped(to)
    if hides(to) or any(is_struct(member) for member in alternatives(bare)):
        return f"expected {expectation(to)}" + ("" if hides(to) else f", got {kind(value)}")
    return f"expected {expectation(to)}, got {shown(value)}"
