"""Tokens: only what was minted has the form, and only the right secret verifies."""

from datetime import UTC, datetime
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.access.keys import ENTROPY, hash_of, mint, parse, verify
from pulsekeeper.web.identity import Scope

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
entropies = st.binary(min_size=ENTROPY, max_size=ENTROPY)


@given(st.sampled_from(Scope), entropies)
def test_what_was_minted_is_recognised(scope: Scope, entropy: bytes) -> None:
    minted = mint(scope, "scraper", NOW, entropy)
    presented = parse(minted.token.reveal())

    assert presented is not None
    assert (presented.id, minted.key.scope) == (minted.key.id, scope)
    assert verify(minted.key, presented)


def test_a_token_says_what_it_is_for_and_the_row_cannot_make_it() -> None:
    minted = mint(Scope.METRICS, "scraper", NOW, bytes(ENTROPY))
    secret = "A" * 43

    assert minted.token.reveal() == f"pk_metrics_{'a' * 12}_{secret}"
    assert minted.key.hash == sha256(secret.encode()).digest()
    assert secret not in repr(minted)


@given(entropies, entropies)
def test_another_secret_does_not_verify(one: bytes, other: bytes) -> None:
    presented = parse(mint(Scope.ADMIN, "", NOW, one).token.reveal())

    assert presented is not None
    assert verify(mint(Scope.ADMIN, "", NOW, other).key, presented) == (one[8:] == other[8:])


def test_a_revoked_key_does_not_verify() -> None:
    minted = mint(Scope.ADMIN, "", NOW, bytes(ENTROPY))
    presented = parse(minted.token.reveal())

    assert presented is not None
    assert not verify(msgspec.structs.replace(minted.key, revoked_at=NOW), presented)


@given(st.text() | st.from_regex(r"pk_(admin|root)_[a-z2-7]{10,13}_[A-Za-z0-9_-]{40,45}\n?", fullmatch=True))
def test_anything_may_be_presented(token: str) -> None:
    presented = parse(token)

    assert presented is None or token == f"pk_admin_{presented.id}_{presented.secret}"
    assert len(hash_of(token + "\ud800")) == 32


@pytest.mark.parametrize("length", [0, ENTROPY - 1, ENTROPY + 1])
def test_a_key_is_made_of_enough_randomness_or_not_at_all(length: int) -> None:
    with pytest.raises(ValueError, match="40 bytes"):
        mint(Scope.ADMIN, "", NOW, bytes(length))
