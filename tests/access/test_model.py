"""Settings that would be unsafe, or could never work, are refused at the start."""

import pytest

from pulsekeeper.access.model import AdminKey, IssuerSettings, Settings
from pulsekeeper.errors import Invalid
from pulsekeeper.validation import convert

FIREBASE = {"issuer": "https://securetoken.google.com/site", "audience": "site"}


def faults(**settings: object) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        convert(settings, Settings, unknown="refuse")
    return [(fault.pointer, fault.detail) for fault in caught.value.faults]


def test_no_admin_key_is_the_default() -> None:
    assert not Settings().admin_key


@pytest.mark.parametrize("key", ["short", "sixteen chars   ", "schlüssel-schlüssel", "line-line-line-line\n"])
def test_a_weak_or_unpresentable_admin_key_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(Invalid) as caught:
        convert({"admin_key": key}, Settings, unknown="refuse")

    (fault,) = caught.value.faults
    assert (fault.pointer, fault.detail) == ("/admin_key", "expected at least 16 letters, digits or any of - . _ ~ + /")


def test_a_weak_key_does_not_keep_quiet_what_else_is_wrong() -> None:
    assert [pointer for pointer, _ in faults(admin_key="short", jwks_floor="0s", jwks_timeout="0s", remembered=0)] == [
        "/admin_key",
        "/remembered",
        "/jwks_floor",
        "/jwks_timeout",
    ]


def test_a_key_from_a_generator_is_accepted() -> None:
    assert Settings(admin_key=AdminKey("mFq0T4rXw1mD5yJ+/9aQ=="))


def test_an_issuer_needs_an_address_and_an_audience_and_nothing_else() -> None:
    settings = convert({"issuers": [FIREBASE]}, Settings, unknown="refuse")

    assert settings.issuers == (IssuerSettings(**FIREBASE),)
    assert settings.issuers[0].discovery_url == ("https://securetoken.google.com/site/.well-known/openid-configuration")


def test_an_issuer_may_end_with_a_slash() -> None:
    issuer = IssuerSettings(issuer="https://site.example.org/", audience="site")

    assert issuer.discovery_url == "https://site.example.org/.well-known/openid-configuration"


def test_everything_wrong_with_issuers_is_told_at_once() -> None:
    issuers = [{"issuer": "https://a.example", "audiense": "x"}, {**FIREBASE, "audience": ""}, FIREBASE | {"roles": 1}]

    assert faults(issuers=issuers) == [
        ("/issuers/0/audience", "missing: expected a string of at least 1 character"),
        ("/issuers/0/audiense", "unknown key 'audiense'; did you mean 'audience'?"),
        ("/issuers/1/audience", "expected a string of at least 1 character, got ''"),
        ("/issuers/2/roles", "unknown key 'roles'; did you mean 'roles_claim'?"),
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"issuer": "http://example.org"}, "expected an issuer such as"),
        ({"issuer": "https://example.org/?tenant=1"}, "expected an issuer such as"),
        ({"jwks_url": "http://example.org/keys"}, "expected a jwks_url"),
    ],
)
def test_keys_are_not_fetched_in_plain_text(change: dict[str, str], sentence: str) -> None:
    ((pointer, detail),) = faults(issuers=[FIREBASE | change])

    assert pointer == f"/issuers/0/{next(iter(change))}"
    assert detail.startswith(sentence)


def test_one_issuer_may_have_several_audiences_but_none_twice() -> None:
    two = [FIREBASE, FIREBASE | {"audience": "app"}]

    assert len(convert({"issuers": two}, Settings, unknown="refuse").issuers) == 2
    assert faults(issuers=[*two, FIREBASE]) == [
        ("/issuers", "expected no two issuers with the same issuer and audience")
    ]


@pytest.mark.parametrize(
    "settings", [{"jwks_floor": "999ms"}, {"jwks_floor": "2h"}, {"jwks_ttl": "1s"}, {"jwks_timeout": "0s"}]
)
def test_issuers_are_not_asked_without_a_pause_nor_without_patience(settings: dict[str, str]) -> None:
    assert len(faults(**settings)) == 1
