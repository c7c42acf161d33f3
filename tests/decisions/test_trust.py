"""When a node believes what it remembers of visitors."""

from pulsekeeper.decisions.trust import Trust


def test_a_node_that_is_alone_believes_its_memory() -> None:
    trust = Trust()

    for _ in range(100):
        trust.note(believed=8, overtaken=0)

    assert trust.is_justified


def test_a_few_strangers_do_not_shake_it() -> None:
    trust = Trust()

    for _ in range(100):
        trust.note(believed=10, overtaken=1)

    assert trust.is_justified


def test_it_is_lost_where_other_nodes_see_the_same_people() -> None:
    trust = Trust()

    for _ in range(10):
        trust.note(believed=8, overtaken=6)

    assert not trust.is_justified


def test_one_large_batch_is_as_much_as_many_small_ones() -> None:
    trust = Trust()

    trust.note(believed=256, overtaken=250)

    assert not trust.is_justified


def test_it_comes_back_after_a_while_and_one_more_disappointment_ends_it() -> None:
    trust = Trust()
    trust.note(believed=256, overtaken=192)
    waned = 0

    while not trust.is_justified:
        trust.wane()
        waned += 1
    trust.note(believed=8, overtaken=6)

    assert 50 < waned < 200
    assert not trust.is_justified


def test_a_batch_of_people_who_are_not_remembered_says_nothing() -> None:
    trust = Trust()

    trust.note(believed=0, overtaken=0)

    assert trust.is_justified
