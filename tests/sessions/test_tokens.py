"""What a token says, and that nothing but the service can make it say something else."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.sessions.records import Claims
from pulsekeeper.sessions.tokens import BadToken, SigningKey, key_id, sign, verify
from pulsekeeper.web.identity import bearer

NOW = datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = SigningKey(7, bytes(range(32)))
CLAIMS = Claims(UUID(int=1), UUID(int=2), NOW)
TOKEN = sign(CLAIMS, KEY)
CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def refusal(token: str, key: SigningKey = KEY, now: datetime = NOW) -> str:
    with pytest.raises(BadToken) as refused:
        verify(token, key, now, DAY)
    return refused.value.reason


@given(
    st.uuids(),
    st.uuids(),
    st.datetimes(timezones=st.just(UTC)),
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
)
def test_what_is_signed_is_believed_whoever_and_whenever_it_is(
    installation: UUID, session: UUID, start: datetime, identifier: int, secret: bytes
) -> None:
    claims, key = Claims(installation, session, start), SigningKey(identifier, secret)
    token = sign(claims, key)

    assert key_id(token) == identifier
    assert verify(token, key, start, DAY) == claims
    assert bearer(f"Bearer {token}") == token


def test_a_token_can_be_in_an_address_and_in_a_header_and_has_one_length() -> None:
    assert re.fullmatch(r"pkst_[A-Za-z0-9_-]{108}", TOKEN)


@pytest.mark.parametrize("place", range(len("pkst_"), len(TOKEN)))
@pytest.mark.parametrize("step", [1, 32])
def test_no_character_of_a_token_can_be_another(place: int, step: int) -> None:
    other = CHARACTERS[(CHARACTERS.index(TOKEN[place]) + step) % 64]

    assert refusal(TOKEN[:place] + other + TOKEN[place + 1 :]) in {"malformed", "unknown_key", "forged"}


def test_the_parts_of_two_tokens_cannot_be_swapped() -> None:
    """The session of one, with the signature of the other."""
    theirs = sign(Claims(UUID(int=3), UUID(int=4), NOW), KEY)
    mine, other = urlsafe_b64decode(TOKEN[5:]), urlsafe_b64decode(theirs[5:])

    assert refusal("pkst_" + urlsafe_b64encode(other[:-32] + mine[-32:]).decode()) == "forged"


@pytest.mark.parametrize(
    "text",
    [
        *("", "pkst_", TOKEN[:-1], TOKEN + "A", TOKEN + "=", TOKEN + "\n", " " + TOKEN, TOKEN[5:], "x" * 1_000_000),
        TOKEN[:-1] + "+",
        TOKEN[:-1] + "/",
        TOKEN[:-1] + "\0",
        TOKEN[:-1] + "é",
        TOKEN.replace("pkst_", "PKST_"),
        "pkst_" + urlsafe_b64encode(b"\2" + urlsafe_b64decode(TOKEN[5:])[1:]).decode(),
    ],
)
def test_what_does_not_look_like_a_token_is_no_token(text: str) -> None:
    assert key_id(text) is None
    assert refusal(text) == "malformed"


@given(st.text(max_size=200))
def test_any_text_gets_a_reason(text: str) -> None:
    assert refusal(text) == "malformed"


def test_a_token_under_another_key_is_not_verified_with_this_one() -> None:
    assert refusal(TOKEN, SigningKey(8, KEY.secret)) == "unknown_key"


def test_a_token_that_names_a_key_and_is_signed_with_another_secret_is_forged() -> None:
    assert refusal(TOKEN, SigningKey(7, bytes(32))) == "forged"


def test_exactly_at_its_lifetime_a_token_is_good_and_a_moment_later_it_has_expired() -> None:
    assert verify(TOKEN, KEY, NOW + DAY, DAY) == CLAIMS
    assert refusal(TOKEN, now=NOW + DAY + timedelta(microseconds=1)) == "expired"


def test_the_clocks_of_nodes_may_lie_a_little_apart() -> None:
    assert verify(TOKEN, KEY, NOW - timedelta(minutes=5), DAY) == CLAIMS
    assert refusal(TOKEN, now=NOW - timedelta(minutes=6)) == "malformed"


def test_a_key_does_not_show_its_secret() -> None:
    assert repr(KEY) == "SigningKey(id=7, secret=•••)"
