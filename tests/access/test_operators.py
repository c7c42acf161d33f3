"""One door for operators, whether they come with an API key or with an ID token."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from pulsekeeper.access.keyring import Keyring
from pulsekeeper.access.keys import ENTROPY, mint
from pulsekeeper.access.model import AdminKey, ApiKey, Settings
from pulsekeeper.access.operators import OperatorAuthenticator
from pulsekeeper.access.verifier import open_token_verifier
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.gate import Gate
from pulsekeeper.web.identity import Scope
from pulsekeeper.web.settings import Settings as WebSettings
from pulsekeeper.web.wire import Headers, Reply, Request, no_content
from tests.support.id_tokens import NOW, claims_of, rsa_key
from tests.support.issuer import AUDIENCE, Issuer, IssuerProcess
from tests.web.parts import endpoint, services

KEY, STRANGER = rsa_key("r"), rsa_key("stranger")
ADMIN_KEY = "an-admin-key.with.dots"
MINTED = mint(Scope.METRICS, "scraper", NOW, bytes(ENTROPY))


class OneKey:
    """A table with one key in it."""

    async def find(self, key_id: str) -> ApiKey | None:
        return MINTED.key if key_id == MINTED.key.id else None

    async def touch(self, *_: object) -> None:
        """Nobody looks."""


async def done(_: Request) -> Reply:
    return no_content()


OPERATORS_ONLY = endpoint(done, "/api/things", scope=Scope.ADMIN)
SCRAPERS_ONLY = endpoint(done, "/metrics", scope=Scope.METRICS)


class Door:
    """The gate with the authenticator behind it."""

    def __init__(self, authenticator: OperatorAuthenticator) -> None:
        given = msgspec.structs.replace(services(), authenticator=authenticator)
        self._gate = Gate(WebSettings(), given)

    async def knock(self, token: str | None, at: Endpoint = OPERATORS_ONLY) -> Reply:
        """What somebody is answered who comes with this token."""
        headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
        return await self._gate.answer(at, Request(method="GET", path="/x", headers=Headers(headers)), nothing)


async def nothing(_: int) -> bytes:
    return b""


@pytest.fixture
def issuer(issuers: IssuerProcess) -> Issuer:
    return issuers.open_issuer(KEY)


@pytest.fixture
async def door(issuer: Issuer) -> AsyncIterator[Door]:
    settings = Settings(admin_key=AdminKey(ADMIN_KEY), issuers=(issuer.settings(admin_role="pulse-admin"),))
    async with open_token_verifier(settings, lambda: NOW) as verifier:
        yield Door(OperatorAuthenticator(Keyring(settings, OneKey(), lambda: NOW), verifier))


async def test_keys_work_as_ever(door: Door) -> None:
    assert (await door.knock(ADMIN_KEY)).status == 204
    assert (await door.knock(MINTED.token.reveal(), SCRAPERS_ONLY)).status == 204
    assert (await door.knock(MINTED.token.reveal())).status == 403
    assert (await door.knock("an-unknown-key")).status == 401
    assert (await door.knock(None)).status == 401


async def test_a_user_with_the_role_is_an_admin(door: Door, issuer: Issuer) -> None:
    token = KEY.sign(claims_of(issuer.url, AUDIENCE, roles=["reader", "pulse-admin"]))

    assert (await door.knock(token)).status == 204
    assert (await door.knock(token, SCRAPERS_ONLY)).status == 204


@pytest.mark.parametrize("roles", [None, [], ["reader"], "PULSE-ADMIN"])
async def test_a_user_without_the_role_is_known_and_may_not(door: Door, issuer: Issuer, roles: object) -> None:
    reply = await door.knock(KEY.sign(claims_of(issuer.url, AUDIENCE, roles=roles)))

    assert reply.status == 403
    assert b"does not have the role" in reply.body


async def test_a_bad_token_is_nobody_whatever_its_roles(door: Door, issuer: Issuer) -> None:
    claims = claims_of(issuer.url, AUDIENCE, roles=["pulse-admin"])
    for token in ("a.b.c", STRANGER.sign(claims, kid="r"), KEY.sign(claims | {"exp": 0}), KEY.sign(claims) + "x"):
        reply = await door.knock(token)
        assert reply.status == 401
        assert ("WWW-Authenticate", "Bearer") in reply.headers


async def test_a_token_that_nobody_can_judge_now_is_told_when_to_come_back(door: Door, issuer: Issuer) -> None:
    issuer.answer_with(503)
    reply = await door.knock(KEY.sign(claims_of(issuer.url, AUDIENCE, roles=["pulse-admin"])))

    assert reply.status == 401
    assert ("Retry-After", "30") in reply.headers
