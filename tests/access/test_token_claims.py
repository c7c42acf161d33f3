"""A token is for this site, for now, and about somebody; and what it says about their roles."""

from datetime import UTC, datetime, timedelta

import pytest

from pulsekeeper.access.model import IssuerSettings
from pulsekeeper.access.tokens import has_token_form, roles_at
from tests.access.parts import RSA, URL, claims, reason, verified
from tests.support.id_tokens import NOW, SECONDS


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
