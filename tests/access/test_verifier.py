"""Users of several issuers, with tokens that are verified against what the issuers publish."""

from datetime import timedelta

import pytest
import trio

from pulsekeeper.access.model import IssuerSettings, Settings
from pulsekeeper.access.verifier import TokenVerifier, open_token_verifier
from pulsekeeper.clock import Clock
from pulsekeeper.errors import Unauthorized
from tests.support.id_tokens import NOW, claims_of, ec_key, rsa_key
from tests.support.issuer import AUDIENCE, IssuerProcess

RSA, EC = rsa_key("r"), ec_key("e")


def at(seconds: float = 0.0) -> Clock:
    return lambda: NOW + timedelta(seconds=seconds)


async def refusal(verifier: TokenVerifier, token: str) -> Unauthorized:
    with pytest.raises(Unauthorized) as caught:
        await verifier.identify(token)
    return caught.value


async def test_users_of_all_issuers_are_known(issuers: IssuerProcess) -> None:
    one, two = issuers.open_issuer(RSA), issuers.open_issuer(EC)
    settings = Settings(issuers=(one.settings(), two.settings(roles_claim="groups.site", admin_role="admin")))

    async with open_token_verifier(settings, at()) as verifier:
        first = await verifier.identify(RSA.sign(claims_of(one.url, AUDIENCE, roles=["admin"])))
        second = await verifier.identify(EC.sign(claims_of(two.url, AUDIENCE, groups={"site": ["admin"]})))

    assert (first.issuer, first.roles, first.is_operator) == (one.url, ("admin",), False)
    assert (second.issuer, second.roles, second.is_operator) == (two.url, ("admin",), True)


async def test_one_issuers_key_is_not_anothers(issuers: IssuerProcess) -> None:
    one, two = issuers.open_issuer(RSA), issuers.open_issuer(EC)

    async with open_token_verifier(Settings(issuers=(one.settings(), two.settings())), at()) as verifier:
        refused = await refusal(verifier, EC.sign(claims_of(one.url, AUDIENCE)))

    assert "not known" in refused.detail
    assert refused.retry_after is not None


async def test_one_issuer_may_serve_several_audiences_each_with_its_rules(issuers: IssuerProcess) -> None:
    issuer = issuers.open_issuer(RSA)
    site, office = issuer.settings(), issuer.settings(audience="office", admin_role="boss")

    async with open_token_verifier(Settings(issuers=(site, office)), at()) as verifier:
        visitor = await verifier.identify(RSA.sign(claims_of(issuer.url, AUDIENCE, roles=["boss"])))
        operator = await verifier.identify(RSA.sign(claims_of(issuer.url, "office", roles=["boss"])))
        for audiences in ([AUDIENCE, "office"], ["office", AUDIENCE], ["elsewhere"]):
            await refusal(verifier, RSA.sign(claims_of(issuer.url, "", aud=audiences)))

    assert (visitor.is_operator, operator.is_operator) == (False, True)


async def test_a_token_of_an_issuer_that_nobody_configured_causes_no_request(issuers: IssuerProcess) -> None:
    known, strange = issuers.open_issuer(RSA), issuers.open_issuer(RSA)

    async with open_token_verifier(Settings(issuers=(known.settings(),)), at()) as verifier:
        await refusal(verifier, RSA.sign(claims_of(strange.url, AUDIENCE)))
        await refusal(verifier, RSA.sign(claims_of(known.url, "elsewhere")))
        await refusal(verifier, "not a token")

    assert (known.fetches(), strange.fetches()) == (0, 0)


async def test_a_token_ends_when_the_clock_says_so(issuers: IssuerProcess) -> None:
    issuer = issuers.open_issuer(RSA)
    token = RSA.sign(claims_of(issuer.url, AUDIENCE))
    settings = Settings(issuers=(issuer.settings(),))

    async with open_token_verifier(settings, at(3659)) as verifier:
        assert (await verifier.identify(token)).expires_at == NOW + timedelta(hours=1)
    async with open_token_verifier(settings, at(3660)) as verifier:
        assert "expired" in (await refusal(verifier, token)).detail


async def test_without_issuers_nobody_is_a_user() -> None:
    async with open_token_verifier(Settings(), at()) as verifier:
        refused = await refusal(verifier, RSA.sign(claims_of("https://issuer.example.org", AUDIENCE)))

    assert refused.detail == "This ID token is not accepted: no issuer of ID tokens is configured here."


async def test_an_error_of_the_block_goes_out_as_it_is() -> None:
    async def fail() -> None:
        settings = Settings(issuers=(IssuerSettings(issuer="https://issuer.example.org", audience="x"),))
        async with open_token_verifier(settings, at()):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()


async def test_the_block_can_be_cancelled_while_a_token_waits(issuers: IssuerProcess) -> None:
    issuer = issuers.open_issuer(RSA)
    issuer.hold()
    with trio.move_on_after(0.2) as scope:
        async with open_token_verifier(Settings(issuers=(issuer.settings(),)), at()) as verifier:
            await verifier.identify(RSA.sign(claims_of(issuer.url, AUDIENCE)))
    issuer.release()

    assert scope.cancelled_caught
