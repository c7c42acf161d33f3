"""Whose token is this? What the web asks of every request that presents one."""

import hmac
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Protocol

import trio

from pulsekeeper.access.keys import Presented, hash_of, parse, verify
from pulsekeeper.access.model import ApiKey, Settings
from pulsekeeper.clock import Clock
from pulsekeeper.errors import PulsekeeperError, Unauthorized, Unavailable
from pulsekeeper.web.identity import Scope

_PATIENCE = 1.0
"""How many seconds the database may take over a key that is believed without it, too: /metrics must not hang."""
_NOTED_EVERY = timedelta(minutes=1)


class Keys(Protocol):
    """The part of the store that recognising needs."""

    async def find(self, key_id: str) -> ApiKey | None: ...
    async def touch(self, key_id: str, now: datetime, before: datetime) -> None: ...


class _Recognised:
    """A key that was verified. Times are Trio's; nothing here leads back to the token."""

    __slots__ = ("asked_at", "scope", "verified_at")

    def __init__(self, scope: Scope, now: float) -> None:
        self.scope = scope
        self.verified_at = now
        """When the database vouched for it: what counts in an outage."""
        self.asked_at = now
        """When the database was asked, whether it answered or not: an outage is not asked about for every request."""


class Keyring:
    """API keys: the configured admin key, then the stored keys, most of them from memory.

    The memory holds hashes of verified tokens only, so strangers cannot fill it, and whatever does not have the form of
    a token is turned away before any query.
    """

    def __init__(self, settings: Settings, keys: Keys, clock: Clock) -> None:
        self._admin = hash_of(settings.admin_key.reveal()) if settings.admin_key else None
        self._remember = settings.remember.total_seconds()
        self._grace = settings.outage_grace.total_seconds()
        self._room = settings.remembered
        self._keys = keys
        self._clock = clock
        self._memory: OrderedDict[bytes, _Recognised] = OrderedDict()

    async def authenticate(self, token: str) -> Scope:
        """The scope of a key.

        Raises `Unauthorized` for a token that nobody knows, and `Unavailable` when the database would have to say and
        cannot be reached.
        """
        if self.is_admin_key(token):
            return Scope.ADMIN
        presented = parse(token)
        if presented is None:
            raise Unauthorized("This key is not known.")
        fingerprint = hash_of(token)
        known = self._recall(fingerprint)
        if known and trio.current_time() - known.asked_at < self._remember:
            return known.scope
        return await self._ask(presented, fingerprint, known)

    def is_admin_key(self, token: str) -> bool:
        """Whether this is the configured admin key, which may look like anything."""
        return self._admin is not None and hmac.compare_digest(hash_of(token), self._admin)

    def _recall(self, fingerprint: bytes) -> _Recognised | None:
        known = self._memory.get(fingerprint)
        if known is not None and trio.current_time() - known.verified_at >= max(self._grace, self._remember):
            del self._memory[fingerprint]
            return None
        if known is not None:
            self._memory.move_to_end(fingerprint)
        return known

    async def _ask(self, presented: Presented, fingerprint: bytes, known: _Recognised | None) -> Scope:
        try:
            key = await self._find(presented.id, known)
        except Unavailable:
            if known is None or trio.current_time() - known.verified_at >= self._grace:
                raise
            known.asked_at = trio.current_time()
            return known.scope
        if key is None or not verify(key, presented):
            self._memory.pop(fingerprint, None)
            raise Unauthorized("This key is not known.")
        self._memorise(fingerprint, key.scope)
        await self._note_use(key)
        return key.scope

    async def _find(self, key_id: str, known: _Recognised | None) -> ApiKey | None:
        if known is None:
            return await self._keys.find(key_id)
        with trio.move_on_after(_PATIENCE):
            return await self._keys.find(key_id)
        raise Unavailable("The keys cannot be looked up at the moment.", retry_after=_PATIENCE)

    def _memorise(self, fingerprint: bytes, scope: Scope) -> None:
        self._memory[fingerprint] = _Recognised(scope, trio.current_time())
        self._memory.move_to_end(fingerprint)
        if len(self._memory) > self._room:
            self._memory.popitem(last=False)

    async def _note_use(self, key: ApiKey) -> None:
        now = self._clock()
        if key.last_used_at is not None and now - key.last_used_at < _NOTED_EVERY:
            return
        try:
            with trio.move_on_after(_PATIENCE):
                await self._keys.touch(key.id, now, now - _NOTED_EVERY)
        except PulsekeeperError:
            pass  # when a key was last used is good to know, and nothing depends on it
