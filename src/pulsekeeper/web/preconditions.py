"""Conditional requests (RFC 9110, section 13): read again only what has changed, overwrite only what one has seen."""

import hashlib
import re
from typing import NamedTuple

from pulsekeeper.errors import Invalid
from pulsekeeper.web.problems import PreconditionFailed
from pulsekeeper.web.wire import Header, Reply, Request

_TAG = re.compile(r'(W/)?("[^"]*")')
_BETWEEN = " \t,"
_DIGITS = 32


class _Tags(NamedTuple):
    """The versions that a header names."""

    every: bool
    strong: frozenset[str]
    weak: frozenset[str]

    def has(self, current: str | None, *, weakly: bool) -> bool:
        """Whether the current version is among them; `None`, for no version at all, never is."""
        if current is None:
            return False
        return self.every or current in self.strong or (weakly and current in self.weak)


def etag(representation: bytes) -> str:
    """A strong entity tag: the same bytes have the same one, and other bytes another."""
    return f'"{hashlib.sha256(representation).hexdigest()[:_DIGITS]}"'


def json_unless_known(request: Request, body: bytes) -> Reply:
    """The JSON in `body` with its tag, or 304 where `If-None-Match` says that the client has it already."""
    current, known = etag(body), _tags_in(request, "if-none-match")
    if known is not None and known.has(current, weakly=True):
        return Reply(status=304, headers=_tag(current))
    return json_with_tag(body)


def json_with_tag(body: bytes, status: int = 200, headers: tuple[Header, ...] = ()) -> Reply:
    """The JSON in `body` with its tag."""
    return Reply(status=status, body=body, content_type="application/json", headers=(*_tag(etag(body)), *headers))


def check_preconditions(request: Request, present: bytes | None) -> None:
    """Raises `PreconditionFailed` where a write would replace another version than the one that the client has seen.

    `present` is what is there now, `None` for nothing. Without `If-Match` and `If-None-Match` every write may go on.
    Raises `Invalid` for a header that cannot be read, since ignoring it could lose an update.
    """
    current = None if present is None else etag(present)
    wanted, unwanted = _tags_in(request, "if-match"), _tags_in(request, "if-none-match")
    if wanted is not None and not wanted.has(current, weakly=False):
        raise PreconditionFailed("It was changed, or removed, since it was read: read it again before changing it.")
    if unwanted is not None and unwanted.has(current, weakly=True):
        raise PreconditionFailed("It is there already.")


def _tag(current: str) -> tuple[Header, ...]:
    return (("ETag", current),)


def _tags_in(request: Request, name: str) -> _Tags | None:
    value = request.headers.get(name)
    if value is None:
        return None
    if value.strip() == "*":
        return _Tags(every=True, strong=frozenset(), weak=frozenset())
    found = _TAG.findall(value)
    if not found or _TAG.sub("", value).strip(_BETWEEN):
        raise Invalid(f"The header {name} is neither a list of quoted entity tags nor an asterisk.")
    return _Tags(
        every=False,
        strong=frozenset(tag for weak, tag in found if not weak),
        weak=frozenset(tag for weak, tag in found if weak),
    )
