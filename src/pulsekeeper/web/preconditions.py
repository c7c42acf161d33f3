"""Conditional requests (RFC 9110, section 13): read again only what has changed, overwrite only what one has seen."""

import hashlib
import re

from pulsekeeper.errors import Invalid
from pulsekeeper.web.problems import PreconditionFailed
from pulsekeeper.web.wire import Header, Reply, Request

_TAG = re.compile(r'(?P<weak>W/)?(?P<opaque>"[^"]*")')
_BETWEEN = " \t,"
_DIGITS = 32


def etag(representation: bytes) -> str:
    """A strong entity tag: the same bytes have the same one, and other bytes another."""
    return f'"{hashlib.sha256(representation).hexdigest()[:_DIGITS]}"'


def tagged(representation: bytes) -> tuple[Header, ...]:
    """The header that tells a client which version it got."""
    return (("ETag", etag(representation)),)


def reply_unless_known(request: Request, body: bytes) -> Reply:
    """The JSON in `body`, or 304 where `If-None-Match` says that the client has it already."""
    known = _read(request, "if-none-match")
    if known is not None and (known == "*" or etag(body) in known):
        return Reply(status=304, headers=tagged(body))
    return Reply(status=200, body=body, content_type="application/json", headers=tagged(body))


def check_preconditions(request: Request, present: bytes | None) -> None:
    """Raises `PreconditionFailed` where a write is to replace another version than what is `present`.

    `present` is the current representation, `None` where there is none. Without `If-Match` and `If-None-Match` every
    write may go on. A header that is not understood is `Invalid`: to ignore it would be a lost update.
    """
    current = None if present is None else etag(present)
    if (wanted := _read(request, "if-match")) is not None and not _names(wanted, current, weakly=False):
        raise PreconditionFailed("It has been changed, or removed, since it was read. Read it again, and try again.")
    if (refused := _read(request, "if-none-match")) is not None and _names(refused, current, weakly=True):
        raise PreconditionFailed("It is there already.")


def _read(request: Request, name: str) -> str | None:
    value = request.headers.get(name)
    if value is None or value.strip() == "*":
        return value and "*"
    return value
