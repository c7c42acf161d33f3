"""Keys that tell nothing, cohorts that stay, and calls that do not come in step."""

import hashlib
import hmac
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.decisions.rules.people import Pseudonyms, anonymous_key, bucket, spread, user_key

SALT = b"0123456789abcdef"


def test_an_anonymous_key_is_an_hmac_over_environment_kind_and_value() -> None:
    expected = hmac.new(SALT, b"production|ip|203.0.113.7", hashlib.sha256).hexdigest()
    assert anonymous_key("ip", "203.0.113.7", environment="production", salt=SALT) == f"ip:{expected}"


@given(st.text(max_size=40), st.sampled_from(["visitor", "ip"]), st.text(max_size=80), st.binary(max_size=130))
def test_hashing_what_is_the_same_for_everybody_only_once_gives_the_same_keys(
    environment: str, kind: Literal["visitor", "ip"], value: str, salt: bytes
) -> None:
    """Also for salts that are longer than a block of the hash, and for one person after the other."""
    pseudonyms = Pseudonyms(environment, salt)
    for each in (value, "somebody else", value):
        expected = hmac.new(salt, f"{environment}|{kind}|{each}".encode(), hashlib.sha256).hexdigest()
        assert pseudonyms.key(kind, each) == f"{kind}:{expected}"


@pytest.mark.parametrize(
    "other",
    [
        anonymous_key("ip", "abcdefgh", environment="production", salt=SALT),
        anonymous_key("visitor", "abcdefgi", environment="production", salt=SALT),
        anonymous_key("visitor", "abcdefgh", environment="staging", salt=SALT),
        anonymous_key("visitor", "abcdefgh", environment="production", salt=b"another salt"),
    ],
)
def test_kind_value_environment_and_salt_all_matter(other: str) -> None:
    assert anonymous_key("visitor", "abcdefgh", environment="production", salt=SALT) != other


def test_a_user_is_known_by_the_subject_of_the_token() -> None:
    assert user_key("u-1") == "user:u-1"


def test_a_bucket_is_always_the_same() -> None:
    """Were this number to change, every rollout that is under way would change its people."""
    assert (
        bucket("salt", "visitor:1f") == int.from_bytes(hashlib.sha256(b"salt:visitor:1f").digest()[:8]) % 10_000 / 100
    )


@given(st.text(max_size=20), st.text(max_size=40))
def test_a_bucket_lies_between_0_and_99_99(salt: str, key: str) -> None:
    assert 0 <= bucket(salt, key) <= 99.99
    assert 0 <= spread(key) < 1


def test_buckets_are_dealt_evenly_and_differently_for_each_salt() -> None:
    people = [f"visitor:{number}" for number in range(4000)]
    inside = {salt: {key for key in people if bucket(salt, key) < 25} for salt in ("a", "b")}
    for chosen in inside.values():
        assert 900 < len(chosen) < 1100
    assert 180 < len(inside["a"] & inside["b"]) < 320
