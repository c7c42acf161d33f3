"""HTTP/1.1 as most clients speak it, and nothing else: one look at the bytes tells whether this is such a request.

Whatever is unusual is not refused here, but left to somebody who knows the whole of HTTP. So there is nothing to get
subtly wrong: a request is plain when every byte of it is, and two servers that disagree about a plain request disagree
about everything. Pure.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

LONGEST_HEAD = 16 * 1024
_END: Final = b"\r\n\r\n"
_VERSION: Final = b" HTTP/1.1"
_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\r\n"
_TARGET = re.compile(rb"(/[^ ?#]*)(?:\?([^ #]*))?")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")
_LENGTH = re.compile(rb"[0-9]{1,9}")
_UNUSUAL: Final = frozenset(
    {b"expect", b"http2-settings", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
"""Fields that change how the message or the connection is to be understood."""
_ONCE: Final = frozenset({b"content-length", b"host", b"connection", b"content-type", b"authorization"})
_MOST_NAMES = 1000

Field = tuple[bytes, bytes]


class Head(Struct, frozen=True, gc=False):
    """The head of a plain request."""

    method: bytes
    path: bytes
    query: bytes
    fields: Sequence[Field]
    """Names in lower case, in the order of arrival."""
    length: int
    """Bytes of the head, the empty line included."""
    body_length: int


class Names:
    """Field names that have been seen, checked and in lower case: clients send the same ones over and over."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}

    def lower(self, name: bytes) -> bytes | None:
        """The name in lower case; `None` if it is none."""
        known = self._known.get(name)
        if known is not None:
            return known
        if _NAME.fullmatch(name) is None:
            return None
        if len(self._known) < _MOST_NAMES:
            self._known[name] = name.lower()
        return name.lower()


def head_of(data: bytes, end: int, names: Names) -> Head | None:
    """The head that ends with the empty line at `end`; `None` unless it is plain in every respect."""
    head = data[: end + 2]
    if head.translate(None, _PRINTABLE) or not head.count(b"\r") == head.count(b"\n") == head.count(b"\r\n"):
        return None
    start, *lines = head[:-2].split(b"\r\n")
    method, _, rest = start.partition(b" ")
    target = _TARGET.fullmatch(rest.removesuffix(_VERSION)) if rest.endswith(_VERSION) else None
    fields = _fields(lines, names)
    if target is None or fields is None:
        return None
    by_name = dict(fields)
    body_length = _body_length(by_name) if _is_usual(by_name, fields) else None
    if body_length is None:
        return None
    return Head(method, target[1], target[2] or b"", fields, end + len(_END), body_length)


def _fields(lines: Sequence[bytes], names: Names) -> Sequence[Field] | None:
    """A line that goes on with the one before begins with a space, which no name does."""
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        lowered = names.lower(name)
        if lowered is None or not colon:
            return None
        fields.append((lowered, value.strip(b" ")))
    return fields


def _is_usual(by_name: Mapping[bytes, bytes], fields: Sequence[Field]) -> bool:
    if not _UNUSUAL.isdisjoint(by_name) or b"host" not in by_name:
        return False
    if by_name.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return False
    return len(by_name) == len(fields) or not any(
        name in _ONCE and sum(other == name for other, _ in fields) > 1 for name in by_name
    )


def _body_length(by_name: Mapping[bytes, bytes]) -> int | None:
    written = by_name.get(b"content-length", b"0")
    return int(written) if _LENGTH.fullmatch(written) else None
