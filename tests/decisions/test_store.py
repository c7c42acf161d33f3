from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pulsekeeper.decisions.records import LogRow, Stored, Write
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.store import DecisionStore
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from tests.support.decisions import NOW, apply, campaign

LOGGED = inline("select count(*) from decision_log where person_key = :key")


def log_row() -> LogRow:
    return LogRow(
        decision_id=str(uuid4()),
        identity=b'{"kind": "visitor"}',
        request=b"{}",
        state_before=None,
        reply=b'{"a": 1}',
        reasons=b"{}",
    )


def write(key: str, seen: int, *, decisions: int = 1) -> Write:
    return Write(
        person_key=key,
        seen_version=seen,
        seen_last_seen_at=NOW if seen else None,
        new_version=seen + decisions,
        last_seen_at=NOW,
        state=b'{"version": %d}' % (seen + decisions),
        log=[log_row() for _ in range(decisions)],
    )


@pytest.fixture
def store(database: Database) -> DecisionStore:
    return DecisionStore(database)


async def commit(store: DecisionStore, *writes: Write, revision: int = 0) -> tuple[bool, set[str]]:
    committed = await store.commit(writes, revision=revision, rule_book="some hash", now=NOW)
    return committed.is_current, set(committed.saved)


async def test_new_people_and_known_ones_are_written_together(store: DecisionStore) -> None:
    await commit(store, write("ann", 0))

    assert await commit(store, write("ann", 1, decisions=3), write("bob", 0)) == (True, {"ann", "bob"})
    assert await store.recall(["ann", "bob", "cid"]) == {
        "ann": Stored(4, b'{"version": 4}', NOW),
        "bob": Stored(1, b'{"version": 1}', NOW),
    }


async def test_a_row_that_has_changed_since_it_was_read_is_left_alone(store: DecisionStore) -> None:
    await commit(store, write("ann", 0))
    await commit(store, write("ann", 1))

    assert await commit(store, write("ann", 1), write("bob", 0)) == (True, {"bob"})
    assert (await store.recall(["ann"]))["ann"].version == 2


async def test_somebody_who_was_new_to_two_nodes_is_written_by_one(store: DecisionStore) -> None:
    await commit(store, write("ann", 0))

    assert await commit(store, write("ann", 0)) == (True, set())


async def test_somebody_who_was_erased_meanwhile_does_not_come_back(store: DecisionStore, database: Database) -> None:
    await commit(store, write("ann", 0))
    await database.execute(inline("delete from visitors"))

    assert await commit(store, write("ann", 1)) == (True, set())
    assert await store.recall(["ann"]) == {}


async def test_only_what_is_saved_is_logged(store: DecisionStore, database: Database) -> None:
    await commit(store, write("ann", 0, decisions=2))
    await commit(store, write("ann", 0, decisions=5), write("bob", 0))

    assert await database.fetch_value(LOGGED, key="ann") == 2
    assert await database.fetch_value(LOGGED, key="bob") == 1


async def test_nothing_is_written_under_rules_that_are_no_longer_in_force(
    store: DecisionStore, database: Database
) -> None:
    await apply(RuleStore(database), campaign())

    assert await commit(store, write("ann", 0), revision=0) == (False, set())
    assert await store.recall(["ann"]) == {}
    assert await database.fetch_value(LOGGED, key="ann") == 0


async def test_batches_of_many_nodes_with_the_same_people_do_not_deadlock(store: DecisionStore) -> None:
    keys = [f"person-{number}" for number in range(50)]
    await commit(store, *(write(key, 0) for key in keys))
    won: list[str] = []

    async def node(order: list[str]) -> None:
        _, saved = await commit(store, *(write(key, 1) for key in order))
        won.extend(saved)

    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(node, keys if number % 2 else keys[::-1])

    assert sorted(won) == sorted(keys)


async def test_a_visitor_who_is_put_there_has_one_version_in_row_and_state(store: DecisionStore) -> None:
    for _ in range(2):
        await store.put_visitor("ann", NOW, b'{"version": 1}')

    assert await store.recall(["ann"]) == {"ann": Stored(2, b'{"version": 2}', NOW)}


async def test_who_holds_people_writes_them_first(store: DecisionStore) -> None:
    await commit(store, write("ann", 0))
    order: list[str] = []

    async def compete() -> None:
        order.append("competitor asks")
        _, saved = await commit(store, write("ann", 1))
        order.append(f"competitor saved {len(saved)}")

    async with trio.open_nursery() as nursery, store.holding(["ann", "new"]) as (held, known):
        nursery.start_soon(compete)
        await wait_all_tasks_blocked()
        assert set(known) == {"ann"}
        assert (await commit(held, write("ann", 1), write("new", 0)))[1] == {"ann", "new"}
        order.append("holder saved")

    assert order == ["competitor asks", "holder saved", "competitor saved 0"]


async def test_what_is_held_is_not_written_when_the_block_fails(store: DecisionStore) -> None:
    with pytest.raises(KeyError):  # noqa: PT012  # it is the block that fails
        async with store.holding(["ann"]) as (held, _):
            await commit(held, write("ann", 0))
            raise KeyError

    assert await store.recall(["ann"]) == {}


async def test_somebody_who_was_erased_and_has_come_back_since_does_not_get_the_old_state(
    store: DecisionStore, database: Database
) -> None:
    """A node that remembered them once wrote it back, because the new row had reached the old version."""
    await commit(store, write("ann", 0))
    await database.execute(inline("delete from visitors"))
    later = msgspec.structs.replace(write("ann", 0), last_seen_at=NOW + timedelta(seconds=1))
    await commit(store, later)

    assert await commit(store, write("ann", 1)) == (True, set())
