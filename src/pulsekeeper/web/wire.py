"""What a handler sees and what it gives back, whatever carried them. Nothing here knows Quart or Hypercorn."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from urllib.parse import parse_qsl

import msgspec

from pulsekeeper.errors import Invalid
from pulsekeeper.scalars import Duration

Header = tuple[str, str]
"""A response header: its name and its value."""

_NOTHING: Mapping[str, str] = MappingProxyType({})
_MOST_FIELDS = 100


class Headers:
    """The headers of a request: read-only, looked up by their names in lower case."""

    __slots__ = ("_by_name",)

    def __init__(self, raw: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """`raw` is as ASGI gives it: names in lower case, in the order of arrival, repeated ones apart."""
        by_name = dict(raw)
        self._by_name = by_name if len(by_name) == len(raw) else _joined(raw)

    def get(self, name: str) -> str | None:
        """The value of `name` (lower case), several joined by a comma as RFC 9110 has it; `None` when it is absent."""
        value = self._by_name.get(name.encode("latin-1"))
        return None if value is None else value.decode("latin-1")


def _joined(raw: Sequence[tuple[bytes, bytes]]) -> Mapping[bytes, bytes]:
    """One pass, however many fields there are: a client may send thousands."""
    values: dict[bytes, list[bytes]] = {}
    for name, value in raw:
        values.setdefault(name, []).append(value)
    return {name: b", ".join(each) for name, each in values.items()}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request, complete: by the time that a handler sees it, its key is checked and its body is read."""

    method: str
    path: str
    """The decoded path, without the query."""
    path_params: Mapping[str, str] = _NOTHING
    """What stands in the places of the endpoint's `{name}`s."""
    query_string: bytes = b""
    headers: Headers = Headers()
    body: bytes = b""
    peer: str = ""
    """The other end of the connection: proxy or client. Never logged, never stored; see `identity.client_address`."""
    request_id: str = ""

    @property
    def query(self) -> Mapping[str, tuple[str, ...]]:
        """The query's fields with all their values. Raises `Invalid` where it is not UTF-8 or is absurdly long."""
        return parse_query(self.query_string)

    def first(self, name: str) -> str | None:
        """The first value of a query field; `None` when it is absent."""
        return self.query.get(name, (None,))[0]


Stream = Callable[[], AbstractAsyncContextManager[AsyncIterator[bytes]]]
"""Opens what a long answer is made from and gives its pieces, which are asked for one by one as the client takes them.

It is closed in every case, by cancellation when the client hangs up. Give an iterator that is no generator, or one that
is closed with it: a generator that is left half-read draws a warning.
"""


class CutOff(Exception):
    """A reply has failed midway, and that is logged: all that is left to do is to leave it without its end."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What goes back. The headers that every reply carries are added later, except where the handler set its own."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: tuple[Header, ...] = ()
    stream: Stream | None = None
    """Takes the place of `body` where it is too long to be made at once. For a `HEAD` it is never opened.

    The status is sent before it is opened, so whatever can be refused is to be refused before. A failure midway is
    logged, and resets the connection: the client sees that something is missing, and asks again.
    """


Handler = Callable[[Request], Awaitable[Reply]]
"""What a room writes for each endpoint. It raises the kinds of `errors` for everything that is not a success."""


def _encode_scalar(value: object) -> str:
    """Durations in their own notation. A `Secret` is refused, so that none can get onto the wire by accident."""
    if isinstance(value, Duration):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no form on the wire")


_encoder = msgspec.json.Encoder(enc_hook=_encode_scalar)


def json_reply(value: object, status: int = 200, headers: tuple[Header, ...] = ()) -> Reply:
    """A Struct (or a list or dict of them) as JSON; datetimes in ISO 8601, UTC with `Z`."""
    return Reply(status=status, body=_encoder.encode(value), content_type="application/json", headers=headers)


def no_content(headers: tuple[Header, ...] = ()) -> Reply:
    """Done, and there is nothing to say: 204."""
    return Reply(status=204, headers=headers)


def parse_query(raw: bytes) -> Mapping[str, tuple[str, ...]]:
    """All fields of a query string. Raises `Invalid` when it is not UTF-8, has a NUL, or has over 100 fields."""
    if not raw:
        return {}
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Invalid(f"The query string is not valid UTF-8, or has more than {_MOST_FIELDS} fields.") from None
    if b"%00" in raw:
        raise Invalid("The query string contains a NUL character.")
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        found[name] = (*found.get(name, ()), value)
    return found
