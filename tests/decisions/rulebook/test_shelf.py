import trio

from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rulebook.shelf import Shelf
from pulsekeeper.decisions.rules.model import Settings
from pulsekeeper.decisions.rules.people import Asker
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from tests.support.decisions import NOW, apply, campaign, loaded_shelf
from tests.support.waiting import eventually

BOOKS = inline("select hash from rule_books order by hash")
CUT = inline("select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%' or query = 'select'")


async def in_force(shelf: Shelf, *campaign_ids: str) -> None:
    async def fact() -> bool:
        return shelf.rules is not None and set(shelf.rules.book.by_id) == set(campaign_ids)

    await eventually(fact)


async def test_there_are_no_rules_until_they_could_be_read(database: Database) -> None:
    shelf = loaded_shelf(database, Settings())

    assert shelf.rules is None
    await shelf.refresh()
    assert shelf.rules is not None
    assert shelf.rules.revision == 0


async def test_a_change_is_in_force_as_soon_as_it_is_announced(database: Database, nursery: trio.Nursery) -> None:
    shelf = loaded_shelf(database, Settings())
    nursery.start_soon(shelf.keep_current)
    await in_force(shelf)

    await apply(RuleStore(database), campaign("hello"))

    await in_force(shelf, "hello")
    nursery.cancel_scope.cancel()


async def test_a_change_that_was_announced_while_the_connection_was_cut_is_found(
    database: Database, nursery: trio.Nursery
) -> None:
    shelf = loaded_shelf(database, Settings())
    nursery.start_soon(shelf.keep_current)
    await in_force(shelf)

    await database.fetch(CUT)
    await apply(RuleStore(database), campaign("hello"))

    await in_force(shelf, "hello")
    nursery.cancel_scope.cancel()


async def test_every_version_of_the_rules_is_kept_under_its_hash(database: Database) -> None:
    shelf, store = loaded_shelf(database, Settings()), RuleStore(database)
    hashes = set()
    for priority in (1, 2, 1):
        await apply(store, campaign("hello", priority=priority))
        await shelf.refresh()
        assert shelf.rules is not None
        hashes.add(shelf.rules.book.hash)

    assert {row["hash"] for row in await database.fetch(BOOKS)} == hashes
    assert len(hashes) == 2


async def test_all_nodes_hash_people_under_the_same_salt(database: Database) -> None:
    keys = set()
    for _ in range(2):
        shelf = loaded_shelf(database, Settings())
        await shelf.refresh()
        assert shelf.rules is not None
        keys.add(shelf.rules.person(Asker(kind="visitor", value="visitor-ann")).key)

    assert len(keys) == 1


async def test_an_environment_has_people_of_its_own(database: Database) -> None:
    keys = set()
    for environment in ("production", "staging"):
        shelf = Shelf(database, Settings(environment=environment), lambda: NOW, trio.Event(), trio.Event())
        await shelf.refresh()
        assert shelf.rules is not None
        keys.add(shelf.rules.person(Asker(kind="visitor", value="visitor-ann")).key)

    assert len(keys) == 2
