"""Where something stands in an input."""

from pulsekeeper.validation.describe import ECHO

Place = tuple[str, ...]
"""The keys and indexes that lead to a value, from the outside in."""


def pointer(place: Place) -> str:
    """A place as an RFC 6901 JSON pointer. Absurdly long keys are cut, so that an error stays readable."""
    return "".join("/" + token[:ECHO].replace("~", "~0").replace("/", "~1") for token in place)


def place_of(pointer: str) -> Place:
    """The way back from a JSON pointer to the place, as far as keys were not cut."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])
