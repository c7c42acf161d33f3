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
