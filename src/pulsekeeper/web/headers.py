"""The headers that every reply carries, and those that let pages of other sites read it (CORS)."""

import os
import re
from collections.abc import Sequence

from pulsekeeper.web.settings import Settings
from pulsekeeper.web.wire import Header, Reply, Request

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # no dots: it is logged, and must not be an address
_EVERYWHERE: tuple[Header, ...] = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cache-Control", "no-store"),
)
_SENDABLE = "Authorization, Content-Encoding, Content-Type, X-Request-ID, X-Session-Token"
_READABLE = "Retry-After, RateLimit, RateLimit-Policy, X-Request-ID"
_SOMETIMES = frozenset({"x-request-id", "vary", "access-control-allow-origin", "access-control-expose-headers"})
"""The names, in lower case, of what is added to a reply as the case may be."""
_PREFLIGHT_AGE = 7200  # seconds; browsers keep none longer than this


def request_id(proposed: str | None) -> str:
    """The client's own id where it is harmless to log and echo, otherwise a new one: 128 random bits in hex."""
    if proposed is not None and _REQUEST_ID.fullmatch(proposed):
        return proposed
    return os.urandom(16).hex()


class ReplyHeaders:
    """Adds to a reply what the handler need not think of. What the handler has set itself stays."""

    def __init__(self, settings: Settings) -> None:
        self.always = _EVERYWHERE
        """What every reply carries, whatever was asked."""
        if settings.hsts:
            self.always += (("Strict-Transport-Security", f"max-age={settings.hsts.total_seconds():.0f}"),)
        self._replaceable = {name.lower() for name, _ in self.always} | _SOMETIMES
        origins = frozenset[str](settings.cors_origins)
        self._admits_all = "*" in origins
        self._vary: tuple[Header, ...] = (("Vary", "Origin"),) if origins and not self._admits_all else ()
        self._cors = {origin: _readable_by(origin) + self._vary for origin in origins}

    def complete(self, reply: Reply, request: Request, *, public: bool) -> tuple[Header, ...]:
        """All headers of the reply but `Content-Type` and `Content-Length`."""
        own = {name.lower() for name, _ in reply.headers}
        extra = (*self.always, ("X-Request-ID", request.request_id), *(self.cors(request) if public else ()))
        return reply.headers + tuple(header for header in extra if header[0].lower() not in own)

    def replaced_by(self, own: Sequence[Header]) -> bool:
        """Whether a handler that sets these has set any of those that are added here."""
        return not self._replaceable.isdisjoint([name.lower() for name, _ in own])

    def preflight(self, request: Request, methods: Sequence[str]) -> tuple[Header, ...]:
        """What a browser is told that asks before it calls one of the public `methods` of a path."""
        if not methods or self._allowed(request) is None:
            return ()
        return (
            ("Access-Control-Allow-Methods", ", ".join(methods)),
            ("Access-Control-Allow-Headers", _SENDABLE),
            ("Access-Control-Max-Age", str(_PREFLIGHT_AGE)),
        )

    def cors(self, request: Request) -> tuple[Header, ...]:
        """What tells a browser whether the page that asks may read the reply of a public endpoint.

        Never with credentials: a key travels in a header that the page itself has to know.
        """
        allowed = self._allowed(request)
        return self._vary if allowed is None else self._cors[allowed]

    def _allowed(self, request: Request) -> str | None:
        origin = request.headers.get("origin")
        if origin is None:
            return None
        return "*" if self._admits_all else origin if origin in self._cors else None


def _readable_by(origin: str) -> tuple[Header, ...]:
    return (("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", _READABLE))
