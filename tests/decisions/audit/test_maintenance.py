"""Maintenance on a real database: what it makes, what it moves, what it drops, and what it leaves alone."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

import pytest
import trio
from msgspec import Struct

from pulsekeeper.decisions.audit import upkeep_store
from pulsekeeper.decisions.audit.maintenance import Maintained, maintain
from pulsekeeper.decisions.rulebook.salt_store import SaltStore
from pulsekeeper.decisions.rules.model import Settings
from pulsekeeper.errors import Contradiction
from pulsekeeper.postgres import partition_store
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.failures import TransactionConflict
from pulsekeeper.postgres.partitions import AHEAD
from pulsekeeper.postgres.queries import Query, inline
from pulsekeeper.postgres.upkeep import take_turn
from tests.support.decisions import NOW, settings
from tests.support.waiting import until_running

DAY = timedelta(days=1)
PLACES = inline("select tableoid::regclass::text as place, person_key from decision_log order by decided_at")
IMPRESSIONS = inline("select tableoid::regclass::text as place, person_key from impressions order by happened_at")
PEOPLE = inline("select person_key from visitors order by person_key")
LINKED = inline(
    "select person_key, anonymous_key from links union all select person_key, release_id from release_visits"
    " order by 1, 2"
)
LOG = inline(
    "insert into decision_log (decision_id, decided_at, person_key, identity, rule_book, request, reply, reasons)"
    " values (:id, :at, :person, '{}', 'hash', '{}', '{}', '{}')"
)
IMPRESS = inline(
    "insert into impressions (happened_at, person_key, campaign_id, event) values (:at, :person, 'hello', 'offered')"
)
SEE = inline("insert into visitors (person_key, version, last_seen_at, state) values (:person, 1, :at, '{}')")
LINK = inline("insert into links (person_key, anonymous_key, linked_at) values (:person, :other, :at)")
VISIT = inline("insert into release_visits (release_id, person_key, first_at) values ('1.0', :person, :at)")


async def log(database: Database, person: str, at: datetime) -> None:
    """A decision and an impression."""
    await database.execute(LOG, id=uuid4(), at=at, person=person)
    await database.execute(IMPRESS, at=at, person=person)


async def rows(database: Database, query: Query) -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in await database.fetch(query)]


async def run(database: Database, now: datetime = NOW, of: Settings | None = None) -> Maintained:
    async with database.connection(patient=True) as connection:
        return await maintain(of or Settings(), connection, now)


async def test_partitions_are_made_ahead_and_rows_find_them(database: Database) -> None:
    done = await run(database)
    await log(database, "ann", NOW + AHEAD * DAY)

    assert len(done.made) == 2 * (AHEAD + 1)
    assert await rows(database, PLACES) == [("decision_log_20260317", "ann")]
    assert await rows(database, IMPRESSIONS) == [("impressions_20260317", "ann")]


async def test_the_next_day_one_is_made_and_in_the_same_hour_none(database: Database) -> None:
    await run(database)

    assert (await run(database)).made == ()
    assert (await run(database, NOW + DAY)).made == ("decision_log_20260318", "impressions_20260318")


async def test_what_is_already_there_of_a_day_moves_into_its_partition(database: Database) -> None:
    await log(database, "of yesterday", NOW - DAY)
    await log(database, "of today", NOW)

    await run(database)

    assert await rows(database, PLACES) == [
        ("decision_log_default", "of yesterday"),
        ("decision_log_20260310", "of today"),
    ]
    assert await rows(database, IMPRESSIONS) == [
        ("impressions_default", "of yesterday"),
        ("impressions_20260310", "of today"),
    ]


async def test_decisions_are_logged_all_the_while(database: Database) -> None:
    logged: list[str] = []

    async def keep_logging(person: str, over: trio.CancelScope) -> None:
        while not over.cancel_called:
            await log(database, person, NOW)
            logged.append(person)

    async with trio.open_nursery() as nursery:
        over = trio.CancelScope()
        for number in range(3):
            nursery.start_soon(keep_logging, f"person-{number}", over)
        while len(logged) < 10:  # noqa: ASYNC110  # the loggers tell nobody
            await trio.sleep(0.001)
        await run(database)
        over.cancel()

    assert sorted(person for _, person in await rows(database, PLACES)) == sorted(logged)
    assert {place for place, _ in await rows(database, PLACES)} == {"decision_log_20260310"}


async def test_days_past_the_retention_are_dropped_with_their_rows(database: Database) -> None:
    await run(database, NOW - 92 * DAY)
    for ago in (92, 91, 90):
        await log(database, f"{ago} days ago", NOW - ago * DAY)

    done = await run(database)

    assert done.dropped == (
        "decision_log_20251208",
        "decision_log_20251209",
        "impressions_20251208",
        "impressions_20251209",
    )
    assert await rows(database, PLACES) == [("decision_log_20251210", "90 days ago")]
    assert await rows(database, IMPRESSIONS) == [("impressions_20251210", "90 days ago")]


async def test_stray_rows_past_the_retention_are_deleted_in_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_store, "_DELETED_AT_ONCE", 2)
    for number in range(5):
        await log(database, f"old {number}", NOW - 7 * DAY - timedelta(seconds=number + 1))
    await log(database, "kept", NOW - 7 * DAY)

    done = await run(database, of=settings(log_retention="7d"))

    assert (done.decisions_deleted, done.impressions_deleted) == (5, 5)
    assert await rows(database, PLACES) == [("decision_log_default", "kept")]


async def see(database: Database, people: Iterable[str], at: datetime) -> None:
    for person in people:
        await database.execute(SEE, person=person, at=at)


async def test_anonymous_people_who_are_long_gone_are_forgotten_with_their_links_and_visits(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_store, "_PURGED_AT_ONCE", 2)
    await see(database, ["visitor:a", "visitor:b", "visitor:c", "ip:d", "user:e"], NOW - 180 * DAY - DAY)
    await see(database, ["visitor:f", "ip:g"], NOW - 180 * DAY)
    for person, other in (("user:e", "visitor:a"), ("user:e", "visitor:f")):
        await database.execute(LINK, person=person, other=other, at=NOW)
    for person in ("visitor:b", "user:e"):
        await database.execute(VISIT, person=person, at=NOW)

    done = await run(database)

    assert done.people_purged == 4
    assert await rows(database, PEOPLE) == [("ip:g",), ("user:e",), ("visitor:f",)]
    assert await rows(database, LINKED) == [("user:e", "1.0"), ("user:e", "visitor:f")]


async def test_somebody_who_is_being_decided_about_is_passed_over(database: Database) -> None:
    await see(database, ["visitor:a", "visitor:b"], NOW - 200 * DAY)
    async with database.transaction() as decision:
        await decision.execute(inline("select 1 from visitors where person_key = 'visitor:a' for update"))
        done = await run(database)

    assert done.people_purged == 1
    assert await rows(database, PEOPLE) == [("visitor:a",)]


async def test_of_several_nodes_one_works_and_the_others_let_it(database: Database) -> None:
    results: list[Struct | None] = []

    async def node() -> None:
        results.append(await take_turn(database, "decisions", partial(maintain, Settings()), NOW))

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(node)

    made = [done.made for done in results if isinstance(done, Maintained)]
    assert sum(len(names) for names in made) == 2 * (AHEAD + 1)
    assert (await run(database)).made == ()


async def test_while_somebody_reads_for_long_decisions_are_still_logged(database: Database) -> None:
    """A backup reads the whole log. Whoever waits for it to end must not make everybody else wait."""
    async with trio.open_nursery() as nursery, database.transaction() as backup:
        await backup.fetch(inline("select * from decision_log"))
        nursery.start_soon(run, database)
        await until_running(database, "%lock table%")
        with trio.fail_after(1):
            await log(database, "ann", NOW)

    assert await rows(database, PLACES) == [("decision_log_20260310", "ann")]


async def test_a_table_that_is_never_free_is_left_to_the_next_run(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_store, "_ATTEMPTS", 2)
    monkeypatch.setattr(partition_store, "_PAUSE", 0.0)
    async with database.transaction() as backup:
        await backup.fetch(inline("select * from decision_log"))
        with pytest.raises(TransactionConflict):
            await run(database)

    assert len((await run(database)).made) == 2 * (AHEAD + 1)


def test_nobody_is_forgotten_before_what_was_decided_about_them() -> None:
    """Otherwise there would be rows of people whom nobody can find any more."""
    with pytest.raises(Contradiction, match="at most anonymous_retention, which is 30d"):
        settings(anonymous_retention="30d")


async def test_a_salt_that_is_a_year_old_is_rotated_once(database: Database) -> None:
    salts, later = SaltStore(database), NOW + timedelta(days=366)
    await salts.add_first(b"first", NOW)

    runs = [await run(database, moment) for moment in (NOW, later, later)]

    assert [done.salt_rotated for done in runs] == [False, True, False]
    assert (await salts.salts()).previous == b"first"
