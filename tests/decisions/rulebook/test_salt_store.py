import pytest

from pulsekeeper.decisions.rulebook.salt_store import Salts, SaltStore
from pulsekeeper.postgres.database import Database
from tests.support.decisions import NOW


@pytest.fixture
def store(database: Database) -> SaltStore:
    return SaltStore(database)


async def test_the_first_salt_stays(store: SaltStore) -> None:
    await store.add_first(b"first", NOW)
    await store.add_first(b"second", NOW)

    assert await store.salts() == Salts(b"first", None)


async def test_a_rotation_keeps_the_salt_before_and_deletes_what_is_older(store: SaltStore) -> None:
    await store.add_first(b"first", NOW)
    await store.rotate(b"second", NOW)
    assert await store.salts() == Salts(b"second", b"first")

    await store.rotate(b"third", NOW)
    assert await store.salts() == Salts(b"third", b"second")
