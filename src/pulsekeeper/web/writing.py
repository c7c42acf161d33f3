"""Replies as the express lane sends them: HTTP/1.1, ready to go.

Nearly all of a reply's head is the same as in the one before. So what every reply carries is written once, and dated
once a second; only what the handler says itself, and the request's id, are new each time.
"""

from collections.abc import Sequence
from email.utils import formatdate
from math import inf

import trio

from pulsekeeper.clock import Clock
from pulsekeeper.web.headers import ReplyHeaders
from pulsekeeper.web.wire import Header, Reply, Request

_BODILESS = frozenset({204, 304})
_Start = tuple[int, str | None]


class Writer:
    """Writes replies, with the headers that all of them carry."""

    def __init__(self, headers: ReplyHeaders, clock: Clock) -> None:
        self._headers = headers
        self._clock = clock
        self._dated_at = -inf
        self._date = ""
        self._always = ""
        """What every reply carries, the date included."""
        self._starts: dict[_Start, str] = {}
        """Up to the type. There are as many as the routes have answers."""
        self._cors: dict[tuple[Header, ...], str] = {}
        """What pages of other sites are told. There are as many as there are configured origins."""

    def write(self, reply: Reply, request: Request, *, public: bool, close: bool) -> bytes:
        """The reply as it goes over the wire, to be followed by the connection's end if it says `close`."""
        now = trio.current_time()
        if now - self._dated_at >= 1.0:
            self._keep_date(now)
        if reply.headers and self._headers.replaced_by(reply.headers):
            carried = _lines(self._headers.complete(reply, request, public=public)) + self._date
        else:
            cors = self._cors_of(request) if public else ""
            carried = f"{_lines(reply.headers)}{self._always}{cors}x-request-id: {request.request_id}\r\n"
        start = self._starts.get((reply.status, reply.content_type)) or self._start(reply)
        length = "" if reply.status in _BODILESS else f"content-length: {len(reply.body)}\r\n"
        end = "connection: close\r\n\r\n" if close else "\r\n"
        return f"{start}{length}{carried}{end}".encode("latin-1") + reply.body

    def _start(self, reply: Reply) -> str:
        kind = () if reply.content_type is None else (("content-type", reply.content_type),)
        start = f"HTTP/1.1 {reply.status} \r\n{_lines(kind)}"
        self._starts[reply.status, reply.content_type] = start
        return start

    def _cors_of(self, request: Request) -> str:
        headers = self._headers.cors(request)
        known = self._cors.get(headers)
        if known is None:
            known = self._cors[headers] = _lines(headers)
        return known

    def _keep_date(self, now: float) -> None:
        self._dated_at = now
        self._date = _lines((("date", formatdate(self._clock().timestamp(), usegmt=True)),))
        self._always = _lines(self._headers.always) + self._date


def _lines(headers: Sequence[Header]) -> str:
    return "".join([f"{name.lower()}: {value}\r\n" for name, value in headers])
