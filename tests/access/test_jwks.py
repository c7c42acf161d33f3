"""What issuers publish: the keys that can be used are used, and nothing else can do any harm."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.access.jwks import MOST_KEYS, KeySet, parse_jwks_url, parse_key_set
from pulsekeeper.errors import Unavailable
from tests.support.id_tokens import ec_key, other_curve, rsa_key

ISSUER = "https://issuer.example.org"
RSA, EC = rsa_key("r").jwk, ec_key("e").jwk


def published(*jwks: object) -> KeySet:
    return parse_key_set(json.dumps({"keys": jwks, "more": 1}).encode())


def test_a_key_is_found_by_its_id_and_its_algorithm_only() -> None:
    keys = published(RSA, EC)

    assert len(keys) == 2
    assert keys.find("r", "RS256") is not None
    assert keys.find("e", "ES256") is not None
    assert [keys.find("r", "ES256"), keys.find("r", "HS256"), keys.find("r", "none"), keys.find("x", "RS256")] == [
        None
    ] * 4


def test_two_kinds_of_key_may_share_an_id() -> None:
    keys = published(rsa_key("same").jwk, ec_key("same").jwk)

    assert keys.find("same", "RS256") is not keys.find("same", "ES256")
    assert len(keys) == 2


def test_of_two_keys_with_one_id_the_first_counts() -> None:
    keys = published(rsa_key("first").jwk | {"kid": "r"}, RSA)

    assert len(keys) == 1
    assert keys.find("r", "RS256") != published(RSA).find("r", "RS256")


def test_a_private_key_that_was_published_by_mistake_is_used_as_a_public_one() -> None:
    key = published(rsa_key("r").private_jwk).find("r", "RS256")

    assert key is not None
    assert not key.is_private


@pytest.mark.parametrize(
    "jwk",
    [
        RSA | {"use": "enc"},
        RSA | {"alg": "RS512"},
        RSA | {"alg": "HS256"},
        RSA | {"key_ops": ["encrypt"]},
        RSA | {"kid": ""},
        RSA | {"kid": 1},
        RSA | {"n": "!!!"},
        RSA | {"n": ""},
        RSA | {"e": "Ag"},
        RSA | {"n": RSA["n"], "e": None},
        {name: value for name, value in RSA.items() if name != "kid"},
        RSA | {"n": "_" * 1400},
        EC | {"x": EC["y"]},
        EC | {"crv": "P-521"},
        EC | {"crv": "secp256k1"},
        other_curve("e"),
        {"kty": "oct", "kid": "o", "k": "c2VjcmV0", "alg": "HS256"},
        {"kty": "OKP", "kid": "o", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {"kty": "from the future", "kid": "f"},
        [],
        None,
        "key",
    ],
)
def test_a_key_that_cannot_be_used_is_passed_over(jwk: object) -> None:
    keys = published(jwk, ec_key("good").jwk)

    assert len(keys) == 1
    assert keys.find("good", "ES256") is not None


def test_a_key_that_is_too_short_is_passed_over_without_a_word() -> None:
    short = {"kty": "RSA", "kid": "s", "n": "_" * 170 + "w", "e": "AQAB"}

    assert len(published(short)) == 0


def test_an_issuer_may_have_withdrawn_all_its_keys() -> None:
    assert len(published()) == 0


def test_there_is_a_most_of_keys() -> None:
    assert len(published(*[EC] * MOST_KEYS)) == 1
    with pytest.raises(Unavailable, match="more than 100 keys"):
        published(*[EC] * (MOST_KEYS + 1))


@pytest.mark.parametrize(
    "document", [b"", b"<html>", b"[]", b"{}", b'{"keys": {}}', b'{"keys": 1}', b"\xff", b"[" * 9999]
)
def test_what_is_no_key_set_is_an_outage(document: bytes) -> None:
    with pytest.raises(Unavailable):
        parse_key_set(document)


anything = st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.lists(st.text(max_size=3), max_size=2)
members = st.fixed_dictionaries(
    {"kty": st.sampled_from(["RSA", "EC", "oct"]), "kid": st.text(min_size=1, max_size=3)},
    optional=dict.fromkeys(("n", "e", "crv", "x", "y", "use", "alg", "key_ops", "d"), anything),
)


@given(st.lists(members | anything, max_size=5))
def test_whatever_is_published_nothing_else_is_raised(jwks: list[object]) -> None:
    assert len(published(*jwks)) <= len(jwks)


def test_the_discovery_document_says_where_the_keys_are() -> None:
    document = {"issuer": ISSUER, "jwks_uri": "https://keys.example.org/1", "token_endpoint": "x"}

    assert parse_jwks_url(json.dumps(document).encode(), ISSUER) == "https://keys.example.org/1"


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://other.example.org", "jwks_uri": "https://keys.example.org/1"},
        {"issuer": ISSUER + "/", "jwks_uri": "https://keys.example.org/1"},
        {"issuer": ISSUER, "jwks_uri": "http://keys.example.org/1"},
        {"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"},
        {"issuer": ISSUER, "jwks_uri": None},
        {"issuer": ISSUER},
        [],
    ],
)
def test_a_discovery_document_that_leads_astray_is_an_outage(document: object) -> None:
    with pytest.raises(Unavailable):
        parse_jwks_url(json.dumps(document).encode(), ISSUER)
