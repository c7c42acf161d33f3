"""Names of events and of properties, as clients write them and as they are understood. Pure.

What was worked out is remembered, because a product has few names and says them all the time. Somebody who sends ever
new ones only pushes older ones out: the memories are bounded, and names that are too long are never in them.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from unicodedata import normalize

from pulsekeeper.sessions.model import EVENT_NAME

LONGEST_NAME = 60
"""Characters of an event's name, before and after it is understood: it never gets shorter."""
LONGEST_KEY = 40
"""Characters of a property's name. Longer ones are refused before anybody asks what they mean."""

_REMEMBERED = 4096
_EVENT_NAME = re.compile(EVENT_NAME)
_SEPARATORS = re.compile(r"[\W_]+")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def event_name(written: str) -> str | None:
    """A name as events are stored under it: `storyOpened` is `story_opened`, `HTTPError` is `http_error`.

    `None` for what is no name of an event.
    """
    return _event_name(written) if len(written) <= LONGEST_NAME else None


def denied_keys(names: Iterable[str]) -> frozenset[str]:
    """A list of denied property names, to be held against `plain_key`."""
    return frozenset(plain for plain in map(_plain, names) if plain)


@lru_cache(maxsize=_REMEMBERED)
def plain_key(key: str) -> str:
    """A property's name without what can be written in more than one way; `key` is not longer than `LONGEST_KEY`.

    Case, separators and compatible forms (Unicode's NFKC, such as full-width letters) do not count: `User-ID` and
    `user.id` are both `userid`.
    """
    return _plain(key)


@lru_cache(maxsize=_REMEMBERED)
def _event_name(written: str) -> str | None:
    if not written.isascii():
        return None  # before the case is changed: the sign of Kelvin would become a k
    name = _WORD.sub("_", written).lower()
    return name if _EVENT_NAME.fullmatch(name) else None


def _plain(key: str) -> str:
    folded = normalize("NFKC", normalize("NFKC", key).casefold())
    return folded if folded.isalnum() else _SEPARATORS.sub("", folded)
