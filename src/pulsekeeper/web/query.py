"""From a request's query string to the Struct that a route wants, or to every fault that is in it."""

from collections.abc import Mapping
from typing import TypeVar

from msgspec.structs import fields

from pulsekeeper import validation
from pulsekeeper.errors import Fault, Invalid
from pulsekeeper.web.wire import Request

T = TypeVar("T")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def decode_query(request: Request, to: type[T]) -> T:
    """The fields of an operator's query. Raises `Invalid` with all faults: wrong, unknown, or given more than once."""
    return validation.convert(_single(request), to, unknown="refuse")


def decode_public_query(request: Request, to: type[T]) -> T:
    """The fields of a page's query: unknown ones are ignored, and `true`, `1`, `false` and `0` are truth values.

    `to` is a Struct. Raises `Invalid` with all other faults.
    """
    flags = {field.encode_name for field in fields(to) if field.type is bool}  # type: ignore[arg-type]  # a Struct
    given = {name: _FLAGS.get(value, value) if name in flags else value for name, value in _single(request).items()}
    return validation.convert(given, to, unknown="ignore")


def _single(request: Request) -> Mapping[str, str]:
    query = request.query
    repeated = [Fault(f"/{name}", "is given more than once") for name, values in query.items() if len(values) > 1]
    if repeated:
        raise Invalid(f"{repeated[0].pointer[1:]} is given more than once.", repeated)
    return {name: values[0] for name, values in query.items()}
