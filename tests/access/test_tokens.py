"""Only what an issuer has signed, for this site and for now, is believed; the rest is refused without repeating it."""

import hmac
import json
from contextlib import suppress
from datetime import timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.access.jwks import KeySet
from pulsekeeper.access.model import Identity
from pulsekeeper.access.tokens import LONGEST, Claimed, claimed
from pulsekeeper.errors import Unauthorized
from tests.access.parts import EC, RSA, STRANGER, URL, claims, reason, verified
from tests.support.id_tokens import NOW, SigningKey, decoded, ec_key, encoded


@pytest.mark.parametrize("key", [RSA, EC], ids=["RS256", "ES256"])
def test_a_good_token_is_its_user(key: SigningKey) -> None:
    token = key.sign(claims(roles=["organizer", "pulse-admin"]))

    assert verified(token) == Identity(
        subject="u-1",
        roles=("organizer", "pulse-admin"),
        issuer=URL,
        expires_at=NOW + timedelta(hours=1),
        is_operator=True,
    )


def test_what_a_token_claims_can_be_read_before_it_is_verified() -> None:
    assert claimed(STRANGER.sign(claims())) == Claimed(URL, ("site",), "stranger", "RS256")
    assert claimed(EC.sign(claims(aud=["a", "b"]))) == Claimed(URL, ("a", "b"), "e", "ES256")


def test_the_audience_may_be_a_list_of_one() -> None:
    assert verified(RSA.sign(claims(aud=["site"]))).subject == "u-1"


def test_parameters_of_the_header_that_nobody_knows_are_ignored() -> None:
    assert verified(RSA.sign(claims(), typ=None, cty="x", **{"x.app": [1], "x5t": "abc"})).subject == "u-1"


# --- who has signed it


def test_an_unsigned_token_is_refused() -> None:
    body = encoded(json.dumps(claims()).encode())
    for algorithm in ("none", "None", "NONE", ""):
        header = encoded(json.dumps({"alg": algorithm, "kid": "r", "typ": "JWT"}).encode())
        assert reason(f"{header}.{body}.") == "it does not have the form of one"
        assert "RS256 or ES256" in reason(f"{header}.{body}.AAAA")


@pytest.mark.parametrize("algorithm", ["HS256", "HS512"])
def test_the_public_key_is_nobodys_secret(algorithm: Literal["HS256", "HS512"]) -> None:
    header = encoded(json.dumps({"alg": algorithm, "kid": "r"}).encode())
    signing_input = f"{header}.{encoded(json.dumps(claims()).encode())}"
    for secret in (RSA.public_pem, json.dumps(RSA.jwk).encode(), decoded(str(RSA.jwk["n"]))):
        signature = hmac.digest(secret, signing_input.encode(), algorithm.replace("HS", "sha"))
        assert "RS256 or ES256" in reason(f"{signing_input}.{encoded(signature)}")


@pytest.mark.parametrize(
    "algorithm", ["RS384", "RS512", "PS256", "ES384", "ES512", "ES256K", "EdDSA", "rs256", 1, None]
)
def test_no_other_algorithm_is_taken(algorithm: object) -> None:
    assert "RS256 or ES256" in reason(RSA.sign(claims(), alg=algorithm))


def test_a_key_is_good_for_its_own_algorithm_only() -> None:
    assert reason(RSA.sign(claims(), alg="ES256")) == "the key that signed it is not known"
    assert reason(EC.sign(claims(), alg="RS256")) == "the key that signed it is not known"


def test_a_key_that_nobody_knows_is_refused() -> None:
    assert reason(STRANGER.sign(claims())) == "the key that signed it is not known"
    assert reason(RSA.sign(claims()), keys=KeySet()) == "the key that signed it is not known"


def test_a_stranger_who_uses_a_known_name_is_refused() -> None:
    assert reason(STRANGER.sign(claims(), kid="r")) == "its signature is wrong"
    assert reason(ec_key("other").sign(claims(), kid="e")) == "its signature is wrong"


@pytest.mark.parametrize("key_id", [None, "", 1, [], {}])
def test_a_token_names_its_key(key_id: object) -> None:
    header = {"alg": "RS256"} if key_id is None else {"alg": "RS256", "kid": key_id}

    assert "does not name a key" in reason(RSA.sign_raw(json.dumps(header), b"{}"))


@pytest.mark.parametrize(
    "trick",
    [
        {"jwk": STRANGER.jwk},
        {"jku": "https://attacker.example.org/keys"},
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "https://attacker.example.org/chain"},
        {"x5c": ["MIIB"]},
    ],
    ids=lambda trick: next(iter(trick)),
)
def test_a_token_cannot_bring_its_own_key(trick: dict[str, object]) -> None:
    assert reason(STRANGER.sign(claims(), kid="r", **trick)) == "its signature is wrong"


@pytest.mark.parametrize("crit", [["exp"], ["b64"], [], "x", None])
def test_extensions_that_must_be_understood_are_not(crit: object) -> None:
    header = {"alg": "RS256", "kid": "r", "b64": False, "exp": 1, "crit": crit}

    assert "extensions" in reason(RSA.sign_raw(json.dumps(header), json.dumps(claims()).encode()))


def test_a_payload_that_is_not_encoded_is_refused() -> None:
    assert reason(RSA.sign(claims(), b64=False)) == "its signature is wrong"


@pytest.mark.parametrize("kind", ["at+jwt", "logout+jwt", "dpop+jwt", ""])
def test_another_type_of_token_is_refused(kind: str) -> None:
    assert reason(RSA.sign(claims(), typ=kind)) == "it is a token of another type"


@pytest.mark.parametrize("key", [RSA, EC], ids=["RS256", "ES256"])
def test_no_bit_of_a_token_can_be_turned(key: SigningKey) -> None:
    parts = key.sign(claims(roles=["organizer"])).split(".")
    for number, part in enumerate(parts):
        raw = decoded(part)
        for position in range(len(raw) * 8):
            altered = bytearray(raw)
            altered[position // 8] ^= 1 << position % 8
            reason(".".join([*parts[:number], encoded(bytes(altered)), *parts[number + 1 :]]))


@given(key=st.sampled_from([RSA, EC]), place=st.floats(0, 1, exclude_max=True), instead=st.text(max_size=3))
def test_no_character_of_a_token_can_be_replaced(key: SigningKey, place: float, instead: str) -> None:
    token = key.sign(claims())
    position = int(place * len(token))
    altered = token[:position] + instead + token[position + 1 :]
    if altered != token:
        reason(altered)


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]*){1,3}", fullmatch=True))
def test_anything_may_be_presented(text: str) -> None:
    reason(text)
    with pytest.raises(Unauthorized):
        claimed(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(header=json_values, payload=json_values)
def test_anything_may_be_signed(header: object, payload: object) -> None:
    reason(RSA.sign_raw(json.dumps(header), json.dumps(payload).encode()))
    reason(RSA.sign_bytes(json.dumps(payload).encode()))


@given(st.dictionaries(st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "roles"]), json_values, min_size=1))
def test_any_claim_may_be_of_any_type(changes: dict[str, object]) -> None:
    try:
        identity = verified(EC.sign_bytes(json.dumps(claims() | changes).encode()))
    except Unauthorized:
        return
    assert identity.subject == (claims() | changes)["sub"]


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{", b"\xff\xfe", b'{"sub": "\\ud800"}', b"[" * 6000, b'{"a":' * 900 + b"1"]
)
def test_a_payload_that_is_no_set_of_claims_is_refused(payload: bytes) -> None:
    reason(RSA.sign_bytes(payload))


def test_a_header_may_be_nested_as_deeply_as_the_interpreter_can_bear() -> None:
    header = f'{{"alg": "RS256", "kid": "r", "x": {"[" * 2500}{"]" * 2500}}}'

    with suppress(Unauthorized):
        assert verified(RSA.sign_raw(header, json.dumps(claims()).encode())).subject == "u-1"


def test_a_token_has_a_most_of_bytes() -> None:
    size = len(RSA.sign(claims(pad="")))
    longest = RSA.sign(claims(pad="x" * ((LONGEST - size) * 3 // 4 - 3)))

    assert LONGEST - 8 < len(longest) <= LONGEST
    assert verified(longest).subject == "u-1"
    assert reason(RSA.sign(claims(pad="x" * LONGEST))) == "it is longer than 8192 bytes"
