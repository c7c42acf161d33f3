"""What a commit does where somebody else was faster, and the order in which it gets at the rows."""

from datetime import UTC, datetime, timedelta
from itertools import combinations
from uuid import uuid4

import pytest
import trio

from pulsekeeper.decisions.records import Impression, Link, LogRow, Stored, Write
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.store import DecisionStore
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from tests.support.decisions import NOW, apply, campaign

ROWS = inline("""
    select
        (select array_agg(person_key order by person_key) from decision_log) as logged,
        (select array_agg(person_key order by person_key) from impressions) as impressed,
        (select array_agg(person_key order by person_key) from release_visits) as visiting,
        (select array_agg(person_key order by person_key) from links) as linking
""")
LOCK = inline("select person_key from visitors where person_key = :key for update")
FREE = inline("select person_key from visitors order by person_key for share skip locked")
WAITING = inline("select exists (select from pg_locks where not granted)")
LATER = NOW + timedelta(seconds=1)
BEFORE_1970 = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
FAR_OFF = datetime(2254, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
IN_SUMMER = datetime(2026, 7, 1, 12, 30, 15, 123_457, tzinfo=UTC)


def write(key: str, seen: int, *, at: datetime = NOW, seen_at: datetime = NOW) -> Write:
    """A change of a person with something in every table."""
    decision_id = str(uuid4())
    return Write(
        person_key=key,
        seen_version=seen,
        seen_last_seen_at=seen_at if seen else None,
        new_version=seen + 1,
        last_seen_at=at,
        state=b'{"version": %d}' % (seen + 1),
        log=[
            LogRow(
                decision_id=decision_id,
                identity=b'{"kind":"visitor"}',
                request='{"name" :  "Zoë"}'.encode(),
                state_before=b'{ "version": %d}' % seen if seen else None,
                reply=b'{"a": 1}',
                reasons=b"{}",
            )
        ],
        impressions=[Impression(campaign_id="c", event="offered", release_id=None, decision_id=decision_id)],
        links=[Link(anonymous_key=f"of {key}", state_before=None, anonymous_state=b"{}")],
        releases_visited=["1.0"],
    )


@pytest.fixture
def store(database: Database) -> DecisionStore:
    return DecisionStore(database)


async def commit(store: DecisionStore, *writes: Write, revision: int = 0) -> tuple[set[str], dict[str, Stored]]:
    committed = await store.commit(writes, revision=revision, rule_book="some hash", now=NOW)
    assert committed.is_current
    return set(committed.saved), dict(committed.overtaken)


def stored(version: int, at: datetime = NOW) -> Stored:
    return Stored(version, b'{"version": %d}' % version, at)


async def wait_until_somebody_waits(database: Database) -> None:
    with trio.fail_after(10):
        while not await database.fetch_value(WAITING):  # noqa: ASYNC110  # it is the server that knows
            await trio.sleep(0.005)


async def test_who_was_overtaken_is_given_back_as_they_are_now(store: DecisionStore) -> None:
    await commit(store, write("ann", 0), write("bob", 0))
    await commit(store, write("ann", 1, at=LATER))

    assert await commit(store, write("ann", 1), write("bob", 1), write("cid", 0)) == (
        {"bob", "cid"},
        {"ann": stored(2, LATER)},
    )
    assert await commit(store, write("ann", 1)) == (set(), {"ann": stored(2, LATER)})
    assert await commit(store, write("ann", 0)) == (set(), {"ann": stored(2, LATER)})


async def test_who_was_erased_meanwhile_is_not_given_back(store: DecisionStore) -> None:
    assert await commit(store, write("ann", 1)) == (set(), {})
    assert await commit(store, write("ann", 1), write("bob", 0)) == ({"bob"}, {})


async def test_nobody_is_overtaken_by_new_rules(store: DecisionStore, database: Database) -> None:
    await commit(store, write("ann", 0))
    await apply(RuleStore(database), campaign())

    committed = await store.commit([write("ann", 0), write("bob", 0)], revision=0, rule_book="some hash", now=NOW)
    assert (committed.is_current, committed.saved, committed.overtaken) == (False, frozenset(), {})


async def test_every_mixture_of_people_is_written_as_far_as_it_can_be(store: DecisionStore, database: Database) -> None:
    """One alone, and several of whom some are new, known, overtaken, or gone, take different ways to the same end."""
    saved = {"new", "known"}
    for kinds in (
        each for size in range(1, 6) for each in combinations(("taken", "known", "stale", "new", "gone"), size)
    ):
        await database.execute(inline("truncate visitors, decision_log, impressions, release_visits, links"))
        await commit(store, write("taken", 0), write("known", 0), write("stale", 0))
        await commit(store, write("stale", 1))
        await database.execute(inline("truncate decision_log, impressions, release_visits, links"))

        batch = [write(kind, 0 if kind in ("new", "taken") else 1) for kind in kinds]
        there = {"taken": stored(1), "stale": stored(2)}
        assert await commit(store, *batch) == (
            saved & set(kinds),
            {kind: there[kind] for kind in kinds if kind in there},
        )
        expected = sorted(saved & set(kinds)) or None
        assert list((await database.fetch(ROWS))[0]) == [expected] * 4


async def test_what_is_logged_is_kept_byte_for_byte(store: DecisionStore, database: Database) -> None:
    await commit(store, write("ann", 0))
    given = write("ann", 1)
    await commit(store, given)

    rows = await database.fetch(inline("select * from decision_log order by state_before is null"))
    [row] = given.log
    expected = [row.decision_id, row.identity, row.request, row.state_before, row.reply, row.reasons]
    names = ("decision_id", "identity", "request", "state_before", "reply", "reasons")
    assert [str(rows[0]["decision_id"]), *(rows[0][name] for name in names[1:])] == expected
    assert rows[0]["decided_at"] == NOW
    assert rows[1]["state_before"] is None


@pytest.mark.parametrize("moment", [NOW, BEFORE_1970, FAR_OFF, IN_SUMMER])
@pytest.mark.parametrize("others", [0, 2])
async def test_moments_are_exact_to_the_microsecond(store: DecisionStore, moment: datetime, others: int) -> None:
    """Both when they are written and when they are compared."""
    keys = ["ann", *(f"other {number}" for number in range(others))]
    await commit(store, *(write(key, 0, at=moment) for key in keys))
    assert (await store.recall(["ann"]))["ann"].last_seen_at == moment

    beside = moment - timedelta(microseconds=1)
    assert await commit(store, *(write(key, 1, seen_at=beside) for key in keys)) == (
        set(),
        dict.fromkeys(keys, stored(1, moment)),
    )
    assert await commit(store, *(write(key, 1, seen_at=moment) for key in keys)) == (set(keys), {})


async def test_rows_are_locked_in_the_order_of_their_keys(store: DecisionStore, database: Database) -> None:
    """Whatever order they are given in: nodes that wait for each other in one order cannot deadlock."""
    await commit(store, *(write(key, 0) for key in "abcd"))

    async with trio.open_nursery() as nursery, database.transaction() as transaction:
        await transaction.fetch(LOCK, key="c")
        nursery.start_soon(commit, store, *(write(key, 1) for key in "dcba"))
        await wait_until_somebody_waits(database)
        assert [row["person_key"] for row in await database.fetch(FREE)] == ["d"]


@pytest.mark.parametrize("others", [[], ["a", "c"]])
async def test_a_row_that_changes_while_it_is_waited_for_is_left_alone(
    store: DecisionStore, database: Database, others: list[str]
) -> None:
    await commit(store, *(write(key, 0) for key in "abc"))
    results = []

    async def compete() -> None:
        results.append(await commit(store, *(write(key, 1) for key in ["b", *others])))

    async with trio.open_nursery() as nursery, database.transaction() as transaction:
        await commit(DecisionStore(database, transaction), write("b", 1, at=LATER))
        nursery.start_soon(compete)
        await wait_until_somebody_waits(database)

    assert results == [(set(others), {"b": stored(2, LATER)})]


async def test_people_are_looked_up_by_their_keys_whatever_the_tables_were_like_at_first(database: Database) -> None:
    """A session plans once, which may be while there is next to nobody: the same plan has to do for a million."""
    async with database.transaction() as transaction:
        store = DecisionStore(database, transaction)
        await transaction.execute(inline("analyze visitors"))
        await commit(store, write("a", 0), write("b", 0))
        await transaction.execute(inline("analyze visitors"))
        await commit(store, write("a", 1))
        await commit(store, write("a", 2), write("b", 1))
        assert await commit(store, write("a", 2), write("b", 1)) == (set(), {"a": stored(3), "b": stored(2)})

        scans = inline("select seq_scan, idx_scan from pg_stat_xact_user_tables where relname = 'visitors'")
        [(by_reading_all, by_key)] = await transaction.fetch(scans)
        assert by_reading_all <= 2  # those of `analyze`
        assert by_key >= 7
