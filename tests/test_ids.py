"""Identifiers of RFC 9562, version 7: dated, sortable, and the same again where the entropy is given."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.ids import made_at, uuid7, uuid7_text

moments = st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis wants it bare
entropies = st.integers(0, 2**74 - 1)


def test_the_example_of_the_standard() -> None:
    now = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)

    assert str(uuid7(now, entropy=0xCC3 << 62 | 0x18C4DC0C0C07398F)) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(moments, entropies)
def test_it_has_version_variant_and_date(now: datetime, entropy: int) -> None:
    identifier = uuid7(now, entropy)

    assert (identifier.version, identifier.variant) == (7, "specified in RFC 4122")
    assert timedelta(0) <= now - made_at(identifier) < timedelta(milliseconds=1)


@given(moments, st.integers(1, 10**6), entropies, entropies)
def test_a_later_one_sorts_after_an_earlier_one(now: datetime, later: int, one: int, other: int) -> None:
    limit = datetime.max.replace(tzinfo=UTC) - timedelta(milliseconds=later)
    now = min(now, limit)

    assert uuid7(now, one) < uuid7(now + timedelta(milliseconds=later), other)


@given(moments, entropies, entropies)
def test_all_the_entropy_is_in_it(now: datetime, one: int, other: int) -> None:
    assert (uuid7(now, one) == uuid7(now, other)) == (one == other)


@given(moments, entropies)
def test_its_text_can_be_had_at_once(now: datetime, entropy: int) -> None:
    assert uuid7_text(now, entropy) == str(uuid7(now, entropy))


def test_two_of_the_same_moment_differ() -> None:
    now = datetime(2026, 1, 31, tzinfo=UTC)

    assert uuid7(now) != uuid7(now)
    assert uuid7_text(now) != uuid7_text(now)
