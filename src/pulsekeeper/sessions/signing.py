"""The keys that sign the tokens of sessions, in memory, and how they stay current.

The two newest keys are believed, and the newest one signs. So a key that is put in force cuts nobody off, as long as
the tokens that the one before the last has signed are over.
"""

import secrets
from datetime import datetime, timedelta
from math import inf
from typing import Never

import structlog
import trio

from pulsekeeper import errors
from pulsekeeper.actors.inbox import Inbox, work_until_end
from pulsekeeper.clock import Clock
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.notices import drain
from pulsekeeper.sessions.key_store import SESSION_KEYS_CHANGED, SigningKeyStore
from pulsekeeper.sessions.records import Claims
from pulsekeeper.sessions.tokens import SECRET_BYTES, BadToken, Flaw, SigningKey, authenticated, check_age, key_id, sign

_log = structlog.get_logger(__name__)

_REFRESH = 300.0
"""Seconds after which the keys are read again without being told to."""
_RETRY = 1.0
"""Seconds until another try when they could not be read; and how often strangers can make us look at most."""

_REMEMBERED = 10_000
"""Tokens that are believed without computing their signature again: some 6 MB of them."""

_SENTENCES: dict[Flaw, str] = {
    "malformed": "This is not the token of a session.",
    "unknown_key": "The token is signed with a key that is not, or not any more, in use: start a new session.",
    "forged": "The token is not signed by this service.",
    "expired": "The token is too old: start a new session.",
}


class SigningKeys:
    """The keys in memory: signs, believes, and hears of new keys.

    A key that was announced while nobody listened is found by its id, which stands in the tokens that it has signed.
    """

    def __init__(self, database: Database, clock: Clock, schema_ready: trio.Event) -> None:
        """Nothing is read before `schema_ready`."""
        self._database = database
        self._store = SigningKeyStore(database)
        self._clock = clock
        self._schema_ready = schema_ready
        self._reading = trio.Lock()
        self._keys: dict[int, SigningKey] = {}
        """The newest first."""
        self._believed: dict[str, Claims] = {}
        """What tokens of the present keys say. It is forgotten with the keys, and altogether when it is full."""
        self._read_at = -inf
        self._outage: errors.Unavailable | None = None
        """Why they could not be read the last time."""

    async def keep_current(self) -> None:
        """Read the keys whenever a new one is announced, and every five minutes anyway."""
        await self._schema_ready.wait()
        async with self._database.listen(SESSION_KEYS_CHANGED) as notices:
            while True:
                with trio.move_on_after(await self._refresh_or_retry()):
                    await notices.receive()
                drain(notices)

    async def sign(self, claims: Claims) -> str:
        """The token that says this. Raises `errors.Unavailable` while the keys could never be read."""
        if not self._keys:
            await self._look_again()
        return sign(claims, next(iter(self._keys.values())))

    async def verify(self, token: str, now: datetime, lifetime: timedelta) -> Claims:
        """What a token says.

        Raises `errors.Unauthorized` for one that is not believed, with a code such as `token_expired`, and
        `errors.Unavailable` when that would be up to a key that cannot be looked up at the moment.
        """
        try:
            claims = self._believed.get(token) or await self._examine(token)
            check_age(claims, now, lifetime)
        except BadToken as bad:
            raise _unauthorized(bad.reason) from None
        return claims

    async def _examine(self, token: str) -> Claims:
        """Only what is genuine is remembered, so strangers cannot fill the memory; its age is looked at each time."""
        signed_with = key_id(token)
        if signed_with is None:
            raise _unauthorized("malformed")
        key = self._keys.get(signed_with) or await self._look_up(signed_with)
        claims = authenticated(token, key)
        if len(self._believed) >= _REMEMBERED:
            self._believed.clear()
        self._believed[token] = claims
        return claims

    async def _look_up(self, wanted: int) -> SigningKey:
        """A key that is not in memory. The next one may have been put in force since a look that is not a second old,
        and nobody is to lose a session over that: they come back.
        """
        asked_at = trio.current_time()
        await self._look_again()
        if wanted in self._keys:
            return self._keys[wanted]
        if self._read_at < asked_at and wanted == max(self._keys) + 1:
            raise errors.Unavailable("The keys are about to be read again.", retry_after=_RETRY)
        raise _unauthorized("unknown_key")

    async def _look_again(self) -> None:
        """Read the keys, unless that was tried a second ago: whoever makes up ids of keys gets no query for each."""
        if not self._schema_ready.is_set():
            raise errors.Unavailable("The schema is not up to date yet.", retry_after=_RETRY)
        async with self._reading:  # who comes second finds it done
            if trio.current_time() - self._read_at >= _RETRY:
                await self._read()
        if self._outage is not None:
            raise errors.Unavailable(self._outage.detail, retry_after=_RETRY)

    async def _refresh_or_retry(self) -> float:
        """Gives the seconds after which to try again without being told."""
        async with self._reading:
            await self._read()
        return _REFRESH if self._outage is None else _RETRY

    async def _read(self) -> None:
        """An outage is a value here: it is said when it begins, and stands until the keys can be read again."""
        try:
            keys = await self._store.keys() or await self._first()
        except errors.Unavailable as outage:
            if self._outage is None:
                _log.warning("session_keys_not_read", reason=outage.detail)
            self._outage = outage
        else:
            self._put(keys)
        self._read_at = trio.current_time()

    async def _first(self) -> list[SigningKey]:
        await self._store.add_first(secrets.token_bytes(SECRET_BYTES), self._clock())
        return await self._store.keys()

    def _put(self, keys: list[SigningKey]) -> None:
        if self._outage is not None or [key.id for key in keys] != list(self._keys):
            _log.info("session_keys_in_force", ids=[key.id for key in keys])
        in_force = {key.id: key for key in keys}
        if in_force != self._keys:
            self._believed.clear()
        self._keys, self._outage = in_force, None


class Keykeeper:
    """The actor that keeps the keys in memory current. They outlive it: a crash here cuts nobody off."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys

    async def run(self, inbox: Inbox[Never]) -> None:
        """Nobody tells it anything: it reads its inbox to hear of the end."""
        await work_until_end(inbox, self._keys.keep_current)


def _unauthorized(reason: Flaw) -> errors.Unauthorized:
    return errors.Unauthorized(_SENTENCES[reason], code=f"token_{reason}")
