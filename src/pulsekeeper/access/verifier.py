"""Whose ID token is this? What the endpoints for a site's users ask."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import trio

from pulsekeeper.access.fetch import fetch_keys, open_client
from pulsekeeper.access.issuers import IssuerKeys
from pulsekeeper.access.model import Identity, Settings
from pulsekeeper.access.tokens import Claimed, claimed, refused, verify
from pulsekeeper.clock import Clock


class TokenVerifier:
    """Knows the issuers. It keeps no token and no user, only keys."""

    def __init__(self, issuers: Sequence[IssuerKeys], leeway: timedelta, clock: Clock) -> None:
        self._issuers = tuple(issuers)
        self._leeway = leeway
        self._clock = clock

    async def identify(self, token: str) -> Identity:
        """The user whom an ID token speaks of.

        Raises `Unauthorized` for every token that is not good. Where the key that signed it is not known, and its
        issuer cannot be asked now, that says when to come back. Waits for nothing when the key is known; otherwise for
        `auth.jwks_timeout` at most.
        """
        said = claimed(token)
        issuer = self._issuer_of(said)
        keys = await issuer.with_key(said.key_id, said.algorithm)
        return verify(token, keys, issuer.issuer, self._clock(), self._leeway)

    def _issuer_of(self, said: Claimed) -> IssuerKeys:
        """The issuer that a token claims, for the audience that it claims where there are several."""
        for issuer in self._issuers:
            if issuer.issuer.issuer == said.issuer and issuer.issuer.audience in said.audiences:
                return issuer
        if not self._issuers:
            raise refused("no issuer of ID tokens is configured here")
        raise refused("its issuer is not known here, or it is meant for somebody else")


@asynccontextmanager
async def open_token_verifier(settings: Settings, clock: Clock) -> AsyncIterator[TokenVerifier]:
    """The verifier for as long as the block lasts, with a task for each issuer. No issuer has to be there yet.

    An error of the block goes out as it is: that there is a nursery around it is nobody's business.
    """
    if not settings.issuers:
        yield TokenVerifier((), settings.leeway, clock)
        return
    failure: Exception | None = None
    async with open_client() as client, trio.open_nursery() as background:
        issuers = [IssuerKeys(issuer, settings, partial(fetch_keys, client)) for issuer in settings.issuers]
        for issuer in issuers:
            background.start_soon(issuer.run)
        try:
            yield TokenVerifier(issuers, settings.leeway, clock)
        except Exception as error:  # raised again below, outside of the nursery
            failure = error
        background.cancel_scope.cancel()
    if failure is not None:
        raise failure
