"""Which session is speaking, and whether it may again already: what every route of the room does first."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import trio

from pulsekeeper import errors
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.records import Claims
from pulsekeeper.web.blinding import Blinding
from pulsekeeper.web.identity import bearer
from pulsekeeper.web.limits import Limiter, Policy, fields
from pulsekeeper.web.wire import Header, Request

_MINUTE, _SECOND = 60.0, 1.0
_WAYS = "send it as 'Authorization: Bearer <token>', as 'X-Session-Token: <token>' or as '?token=<token>'"

Verify = Callable[[str, datetime, timedelta], Awaitable[Claims]]
"""What a token says at a moment, if it is not older than the lifetime. Raises `errors.Unauthorized` for a bad one, and
`errors.Unavailable` when that cannot be told."""


class Reception:
    """Knows nobody: a token says all there is to know, and limits forget."""

    def __init__(self, *, address_of: Callable[[Request], str], verify: Verify, settings: Settings) -> None:
        self._address_of = address_of
        self._verify = verify
        self._starts = Limiter(Policy(name="address", quota=settings.starts_per_minute, window=_MINUTE))
        self._calls = Limiter(Policy(name="session", quota=settings.calls_per_second, window=_SECOND))
        self._blind = Blinding()

    def admit_start(self, request: Request) -> tuple[Header, ...]:
        """Count a start by its address. Gives the headers that say what is left. Raises `RateLimited`."""
        return fields([self._starts.admit(self._blind(self._address_of(request)), trio.current_time())])

    async def claims(self, request: Request, now: datetime, lifetime: timedelta) -> Claims:
        """What the request's token says. Raises `Unauthorized` without a good one, `Invalid` with two of them."""
        return await self._verify(token_of(request), now, lifetime)

    def admit_call(self, claims: Claims) -> tuple[Header, ...]:
        """Count a call by its session, which is why it comes after the token is believed. Else as `admit_start`."""
        return fields([self._calls.admit(claims.session_id.hex, trio.current_time())])


def token_of(request: Request) -> str:
    """The token of a session, in whichever way it was sent. The query is for beacons, which can set no header."""
    elsewhere = _elsewhere(request)
    authorization = _bearer(request, is_needed=not elsewhere)
    if authorization and not elsewhere:
        return authorization  # as nearly all clients have it
    tokens = {*elsewhere, authorization} if authorization else elsewhere
    if len(tokens) > 1:
        raise errors.Invalid("There are different tokens in this request.")
    if not tokens:
        raise errors.Unauthorized(f"The token of a session is needed here: {_WAYS}.", code="token_missing")
    return tokens.pop()


def _elsewhere(request: Request) -> set[str]:
    header = request.headers.get("x-session-token")
    if not header and not request.query_string:
        return set()
    return {token for token in (header, *request.query.get("token", ())) if token}


def _bearer(request: Request, *, is_needed: bool) -> str | None:
    """What another way of authorizing says, such as that of a proxy, matters only where nothing else says who it is."""
    try:
        return bearer(request.headers.get("authorization"))
    except errors.Unauthorized as error:
        if is_needed:
            raise errors.Unauthorized(error.detail, code="token_malformed") from None
        return None
