"""Only what an issuer has signed, for this site and for now, is believed; the rest is refused without repeating it."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OctKey

from pulsekeeper.access.jwks import KeySet, parse_key_set
from pulsekeeper.access.model import Identity, IssuerSettings
from pulsekeeper.access.tokens import LONGEST, Claimed, claimed, has_token_form, roles_at, verify
from pulsekeeper.errors import Unauthorized
from tests.support.id_tokens import NOW, SECONDS, SigningKey, claims_of, decoded, ec_key, encoded, rsa_key

URL = "https://issuer.example.org"
ISSUER = IssuerSettings(issuer=URL, audience="site", admin_role="pulse-admin")
RSA, EC, STRANGER = rsa_key("r"), ec_key("e"), rsa_key("stranger")
KEYS = parse_key_set(json.dumps({"keys": [RSA.jwk, EC.jwk]}).encode())
LEEWAY = timedelta(seconds=60)


def claims(**changes: object) -> dict[str, object]:
    return claims_of(URL, "site", **changes)


def verified(token: str, issuer: IssuerSettings = ISSUER, keys: KeySet = KEYS) -> Identity:
    return verify(token, keys, issuer, NOW, LEEWAY)


def reason(token: str, keys: KeySet = KEYS) -> str:
    """Why a token is refused: a sentence that has no part of the token in it."""
    with pytest.raises(Unauthorized) as caught:
        verified(token, keys=keys)
    sentence = caught.value.detail
    match = re.fullmatch(r"This ID token is not accepted: (.*)\.", sentence)
    assert match
    assert not [part for part in re.findall(r"\w{12,}", token) if part in sentence]
    assert caught.value.__cause__ is None
    return match[1]


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
def test_the_public_key_is_nobodys_secret(algorithm: str) -> None:
    for secret in (RSA.public_pem, json.dumps(RSA.jwk).encode(), str(RSA.jwk["n"]).encode()):
        token = jws.serialize_compact(
            {"alg": algorithm, "kid": "r"},
            json.dumps(claims()),
            OctKey.import_key({"kty": "oct", "k": encoded(secret)}),
            [algorithm],
        )
        assert "RS256 or ES256" in reason(token)


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


def test_a_header_that_is_nested_deeply_is_refused() -> None:
    header = f'{{"alg": "RS256", "kid": "r", "x": {"[" * 2500}{"]" * 2500}}}'

    reason(RSA.sign_raw(header, json.dumps(claims()).encode()))


def test_a_token_has_a_most_of_bytes() -> None:
    size = len(RSA.sign(claims(pad="")))
    longest = RSA.sign(claims(pad="x" * ((LONGEST - size) * 3 // 4 - 3)))

    assert LONGEST - 8 < len(longest) <= LONGEST
    assert verified(longest).subject == "u-1"
    assert reason(RSA.sign(claims(pad="x" * LONGEST))) == "it is longer than 8192 bytes"


# --- for whom, when, about whom


@pytest.mark.parametrize("issuer", ["https://other.example.org", URL + "/", URL.upper(), ""])
def test_another_issuer_is_refused(issuer: str) -> None:
    assert reason(RSA.sign(claims(iss=issuer))) == "it is another issuer's"


@pytest.mark.parametrize("audience", ["other", "", "SITE", ["other"], [], ["site", "other"], ["other", "site"]])
def test_a_token_for_somebody_else_or_for_others_as_well_is_refused(audience: object) -> None:
    assert reason(RSA.sign(claims(aud=audience))) == "it is not meant for this site alone"


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "exp"])
def test_a_claim_that_is_needed_must_be_there(missing: str) -> None:
    assert "missing" in reason(RSA.sign(claims(**{missing: None})))


@pytest.mark.parametrize("subject", [1, True, ["u-1"], {"id": "u-1"}, "", "x" * 256])
def test_a_subject_is_a_string_that_is_not_empty_and_not_long(subject: object) -> None:
    assert "not of its type" in reason(RSA.sign(claims(sub=subject)))


@pytest.mark.parametrize("subject", ["\0", "u-1\0", "u\n1", "\x7f"])
def test_a_subject_can_be_stored_and_printed(subject: str) -> None:
    assert reason(RSA.sign(claims(sub=subject))) == "its subject cannot be used"


@pytest.mark.parametrize("subject", ["x" * 255, "auth0|5f7c8ec7c33c6c004bbafe82", "ü@example.org"])
def test_a_subject_stays_as_it_is(subject: str) -> None:
    assert verified(RSA.sign(claims(sub=subject))).subject == subject


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"exp": SECONDS - 60}, "it has expired"),
        ({"exp": -1}, "it has expired"),
        ({"exp": 1e18}, "its end is not a time"),
        ({"exp": "2030-01-01"}, "a claim that is needed is missing or is not of its type"),
        ({"exp": True}, "a claim that is needed is missing or is not of its type"),
        ({"nbf": SECONDS + 61}, "it is not valid yet"),
        ({"nbf": "soon"}, "a claim that is needed is missing or is not of its type"),
        ({"iat": SECONDS + 61}, "it was issued in the future"),
        ({"iat": SECONDS + 86400}, "it was issued in the future"),
    ],
)
def test_a_token_that_is_not_for_now_is_refused(changes: dict[str, object], expected: str) -> None:
    assert reason(RSA.sign(claims(**changes))) == expected


@pytest.mark.parametrize(
    "changes", [{"exp": SECONDS - 59}, {"nbf": SECONDS + 60}, {"iat": SECONDS + 60}, {"iat": None}]
)
def test_clocks_may_differ_by_the_leeway(changes: dict[str, object]) -> None:
    assert verified(RSA.sign(claims(**changes))).subject == "u-1"


def test_the_end_may_have_a_fraction() -> None:
    assert verified(RSA.sign(claims(exp=SECONDS + 0.5))).expires_at == NOW + timedelta(milliseconds=500)
    assert verified(RSA.sign(claims(exp=253402300799))).expires_at == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


# --- roles


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("roles", ("a", "b")),
        ("single", ("a",)),
        ("realm.roles", ("c",)),
        ("realm.inner.roles", ("d",)),
        ("https://example.org/roles", ("e",)),
        ("realm.x.y", ("f",)),
        ("mixed", ("g",)),
        ("realm", ()),
        ("roles.x", ()),
        ("missing", ()),
        ("missing.x", ()),
        ("", ()),
        (".", ()),
    ],
)
def test_roles_are_found_where_the_issuer_puts_them(path: str, found: tuple[str, ...]) -> None:
    payload = {
        "roles": ["a", "b"],
        "single": "a",
        "realm": {"roles": ["c"], "inner": {"roles": ["d"]}, "x.y": "f"},
        "https://example.org/roles": ["e"],
        "mixed": [1, None, "g", "", "nul\0", ["h"], {"i": "j"}, True],
    }

    assert roles_at(payload, path) == found


def test_without_a_configured_role_nobody_operates() -> None:
    plain = IssuerSettings(issuer=URL, audience="site")

    assert not verified(RSA.sign(claims(roles=["", "admin"])), plain).is_operator
    assert not verified(RSA.sign(claims(roles=["pulse-admins"]))).is_operator
    assert not verified(RSA.sign(claims(groups=["pulse-admin"]))).is_operator
    assert verified(RSA.sign(claims(roles="pulse-admin"))).is_operator


@pytest.mark.parametrize("key", ["pk_admin_abcdefghijkl_" + "A" * 43, "a.b", "a.b.c.d", "a..c", "a.b.", "a.b.c\n", ""])
def test_an_api_key_does_not_look_like_a_token(key: str) -> None:
    assert not has_token_form(key)
    assert has_token_form(RSA.sign(claims()))
