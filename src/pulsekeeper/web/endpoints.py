"""What a room says about each of its routes: how to reach it, who may, what goes in, what can come out."""

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from pulsekeeper.errors import PulsekeeperError
from pulsekeeper.web.identity import Scope
from pulsekeeper.web.wire import Handler

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

_PARAMETER = re.compile(r"\{([a-z][A-Za-z0-9]*)\}")
KIBIBYTE = 1024


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A query or path parameter, for the documentation: handlers read the values themselves."""

    name: str
    description: str
    type: object = str
    """A type that msgspec can describe: `str`, `int`, a Literal, an Annotated with bounds…"""
    required: bool = False
    example: object = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One of the replies that a route gives."""

    description: str
    type: object = None
    """The Struct that is its JSON; `None` where there is no body, or where it is not JSON."""
    example: object = None
    media_types: tuple[str, ...] = ("application/json",)
    """The formats of the body: it comes in one of them."""
    headers: Mapping[str, str] = {}
    """Headers that a client should know of, each with a sentence."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One route. `GET` also answers `HEAD`, if it is safe; `OPTIONS` is answered for every path."""

    method: Method
    path: str
    """A template such as `/api/experience/campaigns/{id}`; a name takes one segment, never a slash."""
    handler: Handler
    tag: str
    """The room that it belongs to."""
    operation_id: str
    summary: str
    description: str = ""
    body: object = None
    """The Struct that the handler decodes the body to; `None` when it takes none. Pages may also send its JSON as
    `text/plain`."""
    body_example: object = None
    body_required: bool = True
    """Whether there has to be one."""
    body_line: object = None
    """The Struct that is on each line of a body of NDJSON, for the documentation; `None` when it is not taken."""
    parameters: tuple[Parameter, ...] = ()
    """The query's fields, and any path parameter about which there is something to say."""
    answers: Mapping[int, Answer] = {}
    """What a handler gives back, by status."""
    errors: tuple[type[PulsekeeperError], ...] = ()
    """The kinds of error that the handler raises, for the documentation. Those of the web itself need not be named."""
    codes: Mapping[int, tuple[str, ...]] = {}
    """The words for programs that problem documents may have as `code`, by status, for the documentation."""
    scope: Scope | None = None
    """The key that is needed; `None` lets everybody in."""
    public: bool = False
    """Whether pages of the configured origins may call it from a browser (CORS)."""
    safe: bool = True
    """Whether a `GET` only reads. One that does more, for clients that have nothing else, does not answer `HEAD`."""
    express: bool = False
    """Whether plain requests are answered on the connection itself, without the framework; for the hot calls."""
    keeps_its_own_time: bool = False
    """Whether the handler sees to it by itself that it answers soon, so that nobody else needs to keep its time."""
    max_body: int = 16 * KIBIBYTE
    """The longest body in bytes; one more is 413."""

    @property
    def takes_body(self) -> bool:
        """Whether a body is read at all; one that is sent to the other methods is thrown away."""
        return self.method in {"POST", "PUT", "PATCH"}

    @property
    def path_names(self) -> tuple[str, ...]:
        """The names in the path's template, from left to right."""
        return tuple(_PARAMETER.findall(self.path))
