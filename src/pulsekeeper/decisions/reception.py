"""Who is asking, and whether they may ask again already: what every public route of the room does first."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from pulsekeeper import errors
from pulsekeeper.decisions.rules.people import Asker
from pulsekeeper.web.blinding import Blinding
from pulsekeeper.web.identity import Authenticator, Scope, bearer
from pulsekeeper.web.limits import Decision, Limiter, Policy
from pulsekeeper.web.wire import Request

_MINUTE = 60.0


class Identity(Protocol):
    """What a verified ID token says."""

    @property
    def subject(self) -> str:
        """Who it is, for the issuer."""

    @property
    def roles(self) -> tuple[str, ...]:
        """What they may be."""


class Operators(Authenticator, Protocol):
    """Knows who may see explanations."""

    def is_key(self, token: str) -> bool:
        """Whether this can only be an API key, and says nothing about a user."""


Identify = Callable[[str], Awaitable[Identity]]
"""Verifies an ID token. Raises `errors.Unauthorized` for a bad one."""


class Reception:
    """Knows how visitors are told apart; remembers nobody for longer than the limits need."""

    def __init__(
        self,
        *,
        address_of: Callable[[Request], str],
        identify: Identify,
        operators: Operators,
        calls_per_minute: int,
    ) -> None:
        self._address_of = address_of
        self._identify = identify
        self._operators = operators
        self._by_address = Limiter(Policy(name="address", quota=calls_per_minute, window=_MINUTE))
        self._by_person = Limiter(Policy(name="person", quota=calls_per_minute, window=_MINUTE))
        self._blind = Blinding()

    async def identity(self, request: Request, *, explain: bool = False) -> Identity | None:
        """Who the request's ID token says they are; `None` without one. Raises `Unauthorized` for a bad one.

        For an explanation the header may hold an operator's key instead, which says nothing about the
        visitor. Without such a key there is no explanation: `Unauthorized`, or `Forbidden` for one that is not enough.
        """
        token = bearer(request.headers.get("authorization"))
        if explain:
            await self._require_operator(token)
        if token is None or (explain and self._operators.is_key(token)):
            return None
        return await self._identify(token)

    def admit_address(self, request: Request) -> tuple[Decision, ...]:
        """Count a call by its address, before anything else is looked at. Raises `RateLimited`."""
        return (self._by_address.admit(self._blind(self._address_of(request)), trio.current_time()),)

    def admit_person(self, visitor_id: str | None) -> tuple[Decision, ...]:
        """Count it by its person, wherever they are. Without an id of their own they are their address."""
        if visitor_id is None:
            return ()
        return (self._by_person.admit(self._blind(visitor_id), trio.current_time()),)

    def asker(self, request: Request, identity: Identity | None, visitor_id: str | None) -> Asker:
        """The one who asks, in their own words."""
        return Asker(
            kind="ip" if visitor_id is None else "visitor",
            value=self._address_of(request) if visitor_id is None else visitor_id,
            subject=None if identity is None else identity.subject,
            roles=() if identity is None else identity.roles,
        )

    async def _require_operator(self, token: str | None) -> None:
        if token is None:
            raise errors.Unauthorized("An explanation needs an admin key: send it as 'Authorization: Bearer <key>'.")
        if not (await self._operators.authenticate(token)).grants(Scope.ADMIN):
            raise errors.Forbidden("An explanation needs an admin key.")
