"""The headers that every reply carries, and those that let pages of other sites read it (CORS)."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from pulsekeeper.ids import uuid7
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
_PREFLIGHT_AGE = 7200  # seconds; browsers keep none longer than this


def request_id(proposed: str | None, clock: Callable[[], datetime]) -> str:
    """The client's own id where it is harmless to log and echo, otherwise a new one."""
    if proposed is not None and _REQUEST_ID.fullmatch(proposed):
        return proposed
    return uuid7(clock()).hex


class ReplyHeaders:
    """Adds to a reply what the handler need not think of. What the handler has set itself stays."""

    def __init__(self, settings: Settings) -> None:
        self._always = _EVERYWHERE
        if settings.hsts:
            self._always += (("Strict-Transport-Security", f"max-age={settings.hsts.total_seconds():.0f}"),)
        self._origins = frozenset(settings.cors_origins)

    def complete(self, reply: Reply, request: Request, *, public: bool) -> tuple[Header, ...]:
        """All headers of the reply but `Content-Type` and `Content-Length`."""
        own = {name.lower() for name, _ in reply.headers}
        extra = (*self._always, ("X-Request-ID", request.request_id), *(self._cors(request) if public else ()))
        return reply.headers + tuple(header for header in extra if header[0].lower() not in own)

    def preflight(self, request: Request, methods: Sequence[str]) -> tuple[Header, ...]:
        """What a browser is told that asks before it calls one of the public `methods` of a path."""
        if not methods or self._allowed(request) is None:
            return ()
        return (
            ("Access-Control-Allow-Methods", ", ".join(methods)),
            ("Access-Control-Allow-Headers", _SENDABLE),
            ("Access-Control-Max-Age", str(_PREFLIGHT_AGE)),
        )

    def _cors(self, request: Request) -> tuple[Header, ...]:
        """Never with credentials: a key travels in a header that the page itself has to know."""
        vary = () if "*" in self._origins or not self._origins else (("Vary", "Origin"),)
        allowed = self._allowed(request)
        if allowed is None:
            return vary
        return (("Access-Control-Allow-Origin", allowed), ("Access-Control-Expose-Headers", _READABLE), *vary)

    def _allowed(self, request: Request) -> str | None:
        origin = request.headers.get("origin")
        if origin is None:
            return None
        return "*" if "*" in self._origins else origin if origin in self._origins else None
