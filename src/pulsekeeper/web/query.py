"""From a request's query string to the Struct that an operator's route wants, or to every fault that is in it."""

from typing import TypeVar

from pulsekeeper import validation
from pulsekeeper.errors import Fault, Invalid
from pulsekeeper.web.wire import Request

T = TypeVar("T")


def decode_query(request: Request, to: type[T]) -> T:
    """The fields of the query. Raises `Invalid` with all faults: wrong, unknown, or given more than once."""
    query = request.query
    repeated = [Fault(f"/{name}", "is given more than once") for name, values in query.items() if len(values) > 1]
    if repeated:
        raise Invalid(f"{repeated[0].pointer[1:]} is given more than once.", repeated)
    return validation.convert({name: values[0] for name, values in query.items()}, to, unknown="refuse")
