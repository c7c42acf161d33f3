from datetime import UTC, datetime, timedelta, timezone

import pytest
import trio

from pulsekeeper.decisions.rulebook.definitions import definition
from pulsekeeper.decisions.rulebook.rule_store import RULE_BOOK_CHANGED, RuleStore
from pulsekeeper.decisions.rules.book import compile_book
from pulsekeeper.decisions.rules.campaigns import Release
from pulsekeeper.decisions.rules.model import Policy, Settings
from pulsekeeper.errors import Conflict
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.notices import MaybeMissed, Notice
from pulsekeeper.postgres.queries import inline
from tests.support.decisions import NOW, apply, campaign, loaded_shelf
from tests.support.waiting import until_running

POLICY = Policy()
BOOKS = inline("select hash, content from rule_books")
RELEASE = Release(id="2026.3.1", released_at=NOW - timedelta(days=1), notes_url="/notes")


@pytest.fixture
def store(database: Database) -> RuleStore:
    return RuleStore(database)


async def kept(database: Database) -> dict[str, bytes]:
    """Every version of the rules that is kept, by its hash."""
    return {row["hash"]: row["content"].encode() for row in await database.fetch(BOOKS)}


async def test_campaigns_are_saved_announced_and_numbered(store: RuleStore, database: Database) -> None:
    async with database.listen(RULE_BOOK_CHANGED) as notices:
        assert await notices.receive() == MaybeMissed()
        await apply(store, campaign("b"), campaign("a"))

        assert await notices.receive() == Notice(RULE_BOOK_CHANGED, "1")

    parts = await store.rule_book_parts()
    assert parts.revision == 1
    assert parts.campaigns == (campaign("a"), campaign("b"))


async def test_what_is_changed_in_the_draft_is_changed_in_the_tables(store: RuleStore) -> None:
    await apply(store, campaign("same"), campaign("other"), campaign("gone"))
    changed = definition(campaign("other", priority=9))

    async with store.edit(POLICY, NOW) as draft:
        draft.campaigns["other"] = changed
        draft.campaigns["new"] = definition(campaign("new"))
        del draft.campaigns["gone"]

    assert await store.definitions() == {
        "new": definition(campaign("new")),
        "other": changed,
        "same": definition(campaign("same")),
    }


async def test_a_change_that_changes_nothing_is_no_new_revision(store: RuleStore, database: Database) -> None:
    async with store.edit(POLICY, NOW) as draft:
        draft.campaigns["a"] = definition(campaign("a"))
        draft.releases[RELEASE.id] = RELEASE

    async with store.edit(POLICY, NOW) as draft:
        draft.campaigns = {"a": definition(campaign("a"))}
        draft.releases = {RELEASE.id: RELEASE}

    assert (await store.rule_book_parts()).revision == 1
    assert len(await kept(database)) == 1


async def test_what_ends_with_an_error_changes_nothing(store: RuleStore, database: Database) -> None:
    async def change_and_fail() -> None:
        async with store.edit(POLICY, NOW) as draft:
            draft.campaigns["a"] = definition(campaign("a"))
            raise Conflict("no")

    with pytest.raises(Conflict):
        await change_and_fail()

    assert (await store.rule_book_parts()).revision == 0
    assert await kept(database) == {}


async def test_whoever_comes_second_sees_what_the_first_has_changed(store: RuleStore, database: Database) -> None:
    async def second() -> None:
        async with store.edit(POLICY, NOW) as draft:
            draft.campaigns["seen"] = draft.campaigns["a"]

    async with trio.open_nursery() as nursery, store.edit(POLICY, NOW) as draft:
        nursery.start_soon(second)
        await until_running(database, "%rule_book_revision for update%")
        draft.campaigns["a"] = definition(campaign("a"))

    assert set(await store.definitions()) == {"a", "seen"}


async def test_a_version_is_kept_that_was_in_force_for_a_moment_only(store: RuleStore, database: Database) -> None:
    for priority in (1, 2):
        await apply(store, campaign("hello", priority=priority))

    books = [compile_book([campaign("hello", priority=priority)], (), POLICY) for priority in (1, 2)]
    assert await kept(database) == {book.hash: book.content for book in books}


async def test_writers_and_nodes_give_a_version_the_same_name(store: RuleStore, database: Database) -> None:
    """Also where the database's clock stands in another zone than ours."""
    await database.execute(
        inline(
            "do $$ begin execute format('alter database %I set timezone to ''Asia/Tokyo''', current_database()); end $$"
        )
    )
    async with store.edit(POLICY, NOW) as draft:
        draft.campaigns["a"] = definition(campaign("a", validFrom="2026-01-01T00:00:00+02:00"))
        draft.releases[RELEASE.id] = RELEASE

    shelf = loaded_shelf(database, Settings())
    await shelf.refresh()

    assert shelf.rules is not None
    assert set(await kept(database)) == {shelf.rules.book.hash}


async def test_releases_are_part_of_the_rules(store: RuleStore) -> None:
    async with store.edit(POLICY, NOW) as draft:
        draft.releases[RELEASE.id] = RELEASE

    parts = await store.rule_book_parts()
    assert (parts.revision, parts.releases) == (1, (RELEASE,))


async def test_releases_are_listed_with_the_latest_first_and_in_utc(store: RuleStore) -> None:
    older = Release(id="2026.2.1", released_at=datetime(2026, 2, 1, 9, tzinfo=timezone(timedelta(hours=9))))
    async with store.edit(POLICY, NOW) as draft:
        draft.releases = {older.id: older, RELEASE.id: RELEASE}

    known = await store.releases()

    assert list(known.values()) == [RELEASE, older]
    assert known[older.id].released_at.tzinfo == UTC


async def test_campaigns_come_in_pages(store: RuleStore) -> None:
    await apply(store, *(campaign(key) for key in "abcd"))

    assert list(await store.definitions_after("", 3)) == ["a", "b", "c"]
    assert list(await store.definitions_after("c", 3)) == ["d"]
    assert await store.definition("a") == definition(campaign("a"))
    assert await store.definition("z") is None
