"""Turn untyped input into typed values, or say everything that is wrong with it."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain, islice
from typing import Literal, TypeVar

import msgspec

from pulsekeeper.errors import Fault, Invalid
from pulsekeeper.validation.hooks import decode_hook, encode_hook
from pulsekeeper.validation.walk import DEEPEST, Strangers, faults, nuls

T = TypeVar("T")
Unknown = Literal["refuse", "ignore"]
"""What becomes of keys that nobody knows. Those of operators are refused, being typing errors; those of public clients
are ignored, coming from a newer script. A Struct that forbids unknown fields refuses them in either case."""

_MOST_FAULTS = 50
_MALFORMED = re.compile(r"JSON is malformed: (?P<what>.*) \(byte (?P<byte>\d+)\)")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def convert(value: object, to: type[T], *, unknown: Unknown, lenient: tuple[type, ...] = ()) -> T:
    """Make a `to` of plain values (as JSON and TOML give them). Raises `Invalid` with every fault, 50 at most.

    Within values of the `lenient` Structs unknown keys are ignored, also where they are refused otherwise.
    """
    strangers = Strangers(unknown == "refuse", lenient)
    try:
        result = msgspec.convert(value, to, dec_hook=decode_hook, str_keys=True)
    except msgspec.ValidationError as error:
        raise _invalid(faults(value, to, strangers), str(error)) from None  # may hold a secret
    except RecursionError:
        raise Invalid(f"the input is nested deeper than {DEEPEST} levels") from None
    if strangers.refused:
        _refuse_any(faults(value, to, strangers))
    return result


def decode_json(raw: bytes, to: type[T], *, unknown: Unknown, lenient: tuple[type, ...] = ()) -> T:
    """Make a `to` of a JSON document in UTF-8. Raises `Invalid`, and nothing else, whatever the bytes are.

    Beyond what `to` says, a document must not be nested deeper than 32 levels nor hold a NUL character in any string.
    For `lenient` see `convert`.
    """
    _check_depth(raw)
    _check_utf8(raw)
    if unknown == "ignore" and b"\\u0000" not in raw:
        try:
            return _decoder(to).decode(raw)  # type: ignore[arg-type, no-any-return]  # the cache forgets the T
        except msgspec.DecodeError:
            pass  # the slow way finds out why
    document = _parse(raw)
    _refuse_any(nuls(document))
    return convert(document, to, unknown=unknown, lenient=lenient)


def to_builtins(value: object) -> object:
    """A typed value as the plain dicts, lists and scalars of JSON and TOML, with secrets masked."""
    return msgspec.to_builtins(value, enc_hook=encode_hook, str_keys=True)


@lru_cache(maxsize=256)
def _decoder(to: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(to, dec_hook=decode_hook)


def _parse(raw: bytes) -> object:
    try:
        return msgspec.json.decode(raw)
    except msgspec.ValidationError as error:  # numbers that no machine holds
        raise Invalid(f"the document cannot be read: {error}") from None
    except msgspec.DecodeError as error:
        raise Invalid(f"the document is not JSON: {_position(raw, str(error))}") from None


def _position(raw: bytes, message: str) -> str:
    match = _MALFORMED.fullmatch(message)
    if match is None:
        return "it ends too early" if raw.strip() else "it is empty"
    return f"{match['what']} at {_at(raw, int(match['byte']))}"


def _at(raw: bytes, byte: int) -> str:
    line = raw.count(b"\n", 0, byte) + 1
    return f"byte {byte}, line {line}"


def _check_depth(raw: bytes) -> None:
    if raw.count(b"[") + raw.count(b"{") <= DEEPEST:
        return
    depth = 0
    for bracket in _STRING.sub(b"", raw).translate(None, _NOT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > DEEPEST:
            raise Invalid(f"the document is nested deeper than {DEEPEST} levels")


def _check_utf8(raw: bytes) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise Invalid(f"the document is not UTF-8: {error.reason} at {_at(raw, error.start)}") from None


def _refuse_any(found: Iterator[Fault]) -> None:
    if (first := next(found, None)) is not None:
        raise _invalid(chain([first], found))


def _invalid(found: Iterable[Fault], otherwise: str = "") -> Invalid:
    listed = list(islice(found, _MOST_FAULTS + 1)) or [Fault("", otherwise)]
    if len(listed) > _MOST_FAULTS:
        listed[_MOST_FAULTS:] = [Fault("", "… and more")]
    first = f"{listed[0].pointer or 'the document'}: {listed[0].detail}"
    return Invalid(first if len(listed) == 1 else f"{len(listed)} faults; the first: {first}", listed)
