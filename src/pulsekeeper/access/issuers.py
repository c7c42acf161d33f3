"""The keys of an issuer, as this node knows them: there when a token needs them, and fresh.

They are fetched when the first token asks, and from then on before they get old, so that no later request waits for an
issuer. Only a key that is not among them makes a request wait: the issuer may have just begun to use it. Strangers can
invent such keys as fast as they like, so that happens once in a while only, and one fetch serves all who wait. What
was fetched counts until something newer is: an issuer that is down signs nothing new, and its users stay known.
"""

from collections.abc import Awaitable, Callable
from math import inf

import structlog
import trio

from pulsekeeper.access.jwks import KeySet
from pulsekeeper.access.model import IssuerSettings, Settings
from pulsekeeper.access.tokens import refused
from pulsekeeper.errors import Unavailable

_log = structlog.get_logger(__name__)

_EARLY = 0.8
"""The part of their time to live after which keys are fetched again: it leaves room for attempts that fail."""

Fetch = Callable[[IssuerSettings], Awaitable[KeySet]]
"""Raises `Unavailable` when the keys are not to be had. May take for ever."""


class _Round:
    """One fetch: that it is wanted, and that it is over, however it went."""

    __slots__ = ("over", "wanted")

    def __init__(self) -> None:
        self.wanted = trio.Event()
        self.over = trio.Event()


class IssuerKeys:
    """One issuer. All fetching is done by `run`, so whoever waits for it can leave without disturbing the others."""

    def __init__(self, issuer: IssuerSettings, settings: Settings, fetch: Fetch) -> None:
        self.issuer = issuer
        self._ttl = settings.jwks_ttl.total_seconds()
        self._floor = settings.jwks_floor.total_seconds()
        self._limit = settings.jwks_timeout.total_seconds()
        self._fetch = fetch
        self._keys: KeySet | None = None
        self._round = _Round()
        self._due_at = inf
        """When the next fetch begins by itself, in Trio's time; never before the first."""
        self._open_at = -inf
        """From when on an unknown key may cause a fetch."""

    async def run(self) -> None:
        """Fetch whenever it is wanted or due. Never returns; an issuer that is down is not an error here."""
        while True:
            with trio.move_on_at(self._due_at):
                await self._round.wanted.wait()
            self._round.wanted.set()
            try:
                await self._refresh()
            finally:
                self._round.over.set()
                self._round = _Round()

    async def with_key(self, key_id: str, algorithm: str) -> KeySet:
        """The issuer's keys with this one among them. Waits, at most for one fetch, only when it is not there yet.

        Raises `Unauthorized` when it is not there after all, with the time after which the issuer is asked again.
        """
        keys = self._holding(key_id, algorithm)
        if keys is None:
            await self._ask()
            keys = self._holding(key_id, algorithm)
        if keys is None:
            raise refused(self._reason(), retry_after=max(0.0, self._open_at - trio.current_time()))
        return keys

    def _holding(self, key_id: str, algorithm: str) -> KeySet | None:
        keys = self._keys
        return None if keys is None or keys.find(key_id, algorithm) is None else keys

    async def _ask(self) -> None:
        """Wait for the fetch that is on its way, or for a new one, unless it is too early for one."""
        current, now = self._round, trio.current_time()
        if not current.wanted.is_set():
            if now < self._open_at:
                return
            if self._keys is not None:  # the very first fetch is for the keys that are in use already
                self._open_at = now + self._floor
            current.wanted.set()
        await current.over.wait()

    async def _refresh(self) -> None:
        try:
            with trio.move_on_after(self._limit) as scope:
                self._keys = await self._fetch(self.issuer)
                self._due_at = trio.current_time() + self._ttl * _EARLY
                _log.info("the keys of an issuer were fetched", issuer=self.issuer.issuer, keys=len(self._keys))
            if scope.cancelled_caught:
                self._failed("it took too long")
        except Unavailable as error:
            self._failed(error.detail)

    def _failed(self, reason: str) -> None:
        self._due_at = self._open_at = trio.current_time() + self._floor
        _log.warning("the keys of an issuer cannot be fetched", issuer=self.issuer.issuer, reason=reason)

    def _reason(self) -> str:
        if self._keys is None:
            return "its issuer cannot be reached"
        return "the key that signed it is not known"
