from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from pulsekeeper import errors
from pulsekeeper.decisions.audit import log_store
from pulsekeeper.decisions.audit.log_store import EVER, BookStore, LogStore
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.ids import uuid7
from pulsekeeper.postgres.database import Database
from tests.support.deciders import deciding
from tests.support.decisions import NOW, apply, campaign
from tests.support.pages import PATIENT, browser, decide


async def fill(database: Database, count: int) -> list[UUID]:
    """Decisions, a second apart; their ids, the newest first."""
    made: list[UUID] = []
    async with deciding(database, PATIENT, lambda: NOW + len(made) * timedelta(seconds=1, microseconds=7)) as decider:
        for _ in range(count):
            reply = await decide(decider, browser("visitor-ann"))
            made.append(UUID(reply.decision_id))  # the clock goes by the length of the list
    return made[::-1]


async def read(database: Database, since: object = EVER, most: int = 1000) -> list[UUID]:
    pages = LogStore(database).pages(since, most)  # type: ignore[arg-type]  # a datetime
    return [row.decision_id async for page in pages for row in page]


async def test_a_decision_is_found_as_it_was_answered(database: Database) -> None:
    await apply(RuleStore(database), campaign("hello"))
    async with deciding(database, PATIENT) as decider:
        reply = await decide(decider, browser("visitor-ann"))

    row = await LogStore(database).decision(UUID(reply.decision_id))

    assert (row.decided_at, row.identity.kind, row.reasons) == (NOW, "visitor", {"hello": "first_visit"})
    assert row.person_key.startswith("visitor:")
    assert reply.decision_id.encode() in bytes(row.reply)


@pytest.mark.parametrize(
    "decision_id",
    [uuid7(NOW), uuid4(), UUID(int=0), UUID(int=(1 << 128) - 1), UUID("ffffffff-ffff-7fff-bfff-ffffffffffff")],
    ids=["unknown", "version 4", "nil", "max", "the end of time"],
)
async def test_a_decision_that_was_never_made_is_not_found(decision_id: UUID, database: Database) -> None:
    with pytest.raises(errors.NotFound):
        await LogStore(database).decision(decision_id)


async def test_the_log_is_read_page_by_page_from_its_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_store, "_PAGE", 2)
    newest_first = await fill(database, 5)

    assert await read(database) == newest_first
    assert await read(database, most=3) == newest_first[:3]
    assert await read(database, since=NOW + timedelta(seconds=3)) == newest_first[:2]
    assert await read(database, most=0) == []
    assert await LogStore(database).count(NOW + timedelta(seconds=3)) == 2


async def test_rules_are_opened_again_by_their_hash_and_the_last_ones_stay_open(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_store, "_OPEN_BOOKS", 1)
    store, hashes = BookStore(database), []
    async with deciding(database, PATIENT) as decider:
        for priority in (1, 2):
            await apply(RuleStore(database), campaign("hello", priority=priority))
            reply = await decide(decider, browser("visitor-ann"))
            hashes.append((await LogStore(database).decision(UUID(reply.decision_id))).rule_book)

    first = await store.book(hashes[0])
    assert await store.book(hashes[0]) is first
    second = await store.book(hashes[1])

    assert [book.hash for book in (first, second)] == hashes
    assert await store.book(hashes[0]) is not first


async def test_rules_that_nobody_has_kept_are_not_found(database: Database) -> None:
    with pytest.raises(errors.NotFound):
        await BookStore(database).book("no such hash")
