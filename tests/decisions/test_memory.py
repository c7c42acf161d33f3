"""What a node remembers of visitors: what was put in comes out again, and it takes no more room than it may."""

import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.decisions.memory import Memory
from pulsekeeper.decisions.records import Stored
from tests.support.decisions import NOW


def test_who_is_remembered_is_known_with_the_last_row() -> None:
    memory = Memory(10)
    memory.remember("ann", Stored(1, b"{}", NOW))
    memory.remember("ann", Stored(2, b"{}", NOW))

    assert memory.known(["ann", "bob"]) == {"ann": Stored(2, b"{}", NOW)}


def test_at_the_bound_the_one_that_was_away_for_longest_is_forgotten() -> None:
    memory = Memory(2)
    memory.remember("ann", Stored(1, b"{}", NOW))
    memory.remember("bob", Stored(1, b"{}", NOW))
    memory.remember("ann", Stored(2, b"{}", NOW))
    memory.remember("cid", Stored(1, b"{}", NOW))

    assert set(memory.known(["ann", "bob", "cid"])) == {"ann", "cid"}
    assert len(memory) == 2


def test_forgetting_somebody_who_is_not_known_is_nothing() -> None:
    memory = Memory(2)
    memory.remember("ann", Stored(1, b"{}", NOW))

    memory.forget(["ann", "bob"])

    assert len(memory) == 0


HEX = sha256(b"ann").hexdigest()


@pytest.mark.parametrize(
    "key", [f"visitor:{HEX}", f"visitor:{HEX.upper()}", f"visitor:{HEX[:-1]}g", f"visitor:{HEX[:-1]} ", f"ip:{HEX}"]
)
def test_no_key_is_taken_for_another_one(key: str) -> None:
    """Keys are kept as short as possible; keys that only look like hashes stay what they are."""
    memory = Memory(10)
    memory.remember(key, Stored(1, b"{}", NOW))

    others = [f"visitor:{HEX}", f"user:{HEX}", bytes.fromhex(HEX).decode("latin-1")]
    assert set(memory.known([key, *others])) == {key}
    memory.forget([key])
    assert len(memory) == 0


@given(
    st.integers(0, 2**53),
    st.binary(),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])),
)
def test_a_row_is_given_back_exactly(version: int, state: bytes, last_seen_at: datetime) -> None:
    memory = Memory(1)
    row = Stored(version, state, last_seen_at)
    memory.remember("ann", row)

    assert memory.known(["ann"]) == {"ann": row}


def test_a_large_memory_forgets_a_thousandth_of_it_at_once() -> None:
    memory = Memory(5000)
    for number in range(5001):
        memory.remember(f"user:{number}", Stored(1, b"{}", NOW + number * timedelta(seconds=1)))

    assert len(memory) == 4996
    assert set(memory.known(f"user:{number}" for number in range(7))) == {"user:5", "user:6"}


def test_a_visitor_of_six_hundred_bytes_takes_less_than_a_kibibyte() -> None:
    people = 10_000
    memory = Memory(people)
    keys = [f"visitor:{sha256(str(number).encode()).hexdigest()}" for number in range(people)]
    tracemalloc.start()
    try:
        for number, key in enumerate(keys):
            memory.remember(key, Stored(number, b"x" * 600, NOW))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert taken / people < 1024
