from datetime import timedelta

import pytest

from pulsekeeper.decisions.campaigns import Release
from pulsekeeper.decisions.definitions import definition
from pulsekeeper.decisions.rule_store import RULE_BOOK_CHANGED, RuleStore
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.notices import MaybeMissed, Notice
from tests.support.decisions import NOW, apply, campaign


@pytest.fixture
def store(database: Database) -> RuleStore:
    return RuleStore(database)


async def test_campaigns_are_saved_announced_and_numbered(store: RuleStore, database: Database) -> None:
    async with database.listen(RULE_BOOK_CHANGED) as notices:
        assert await notices.receive() == MaybeMissed()
        await apply(store, campaign("b"), campaign("a"))

        assert await notices.receive() == Notice(RULE_BOOK_CHANGED, "1")

    parts = await store.rule_book_parts()
    assert parts.revision == 1
    assert parts.campaigns == (campaign("a"), campaign("b"))


async def test_applying_tells_what_is_new_what_is_changed_and_what_is_neither(store: RuleStore) -> None:
    await apply(store, campaign("same"), campaign("other"))
    definitions = {"same": campaign("same"), "other": campaign("other", priority=9), "new": campaign("new")}

    saved = await store.save_campaigns({key: definition(each) for key, each in definitions.items()}, NOW)

    assert (saved.added, saved.changed, saved.unchanged) == (("new",), ("other",), ("same",))


async def test_releases_are_part_of_the_rules(store: RuleStore) -> None:
    release = Release(id="2026.3.1", released_at=NOW - timedelta(days=1), notes_url="/notes")

    await store.save_release(release)

    parts = await store.rule_book_parts()
    assert (parts.revision, parts.releases) == (1, (release,))
