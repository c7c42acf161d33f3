"""Keys in PostgreSQL, and the desk where they are handed out."""

from datetime import UTC, datetime, timedelta

import pytest

from pulsekeeper.access.desk import create_key, list_keys, revoke_key
from pulsekeeper.access.keyring import Keyring
from pulsekeeper.access.keys import ENTROPY, mint
from pulsekeeper.access.model import ApiKey, Settings
from pulsekeeper.access.store import KeyStore
from pulsekeeper.errors import NotFound, Unauthorized
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.failures import UniqueViolation
from pulsekeeper.postgres.queries import inline
from pulsekeeper.web.identity import Scope

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def store(database: Database) -> KeyStore:
    return KeyStore(database)


def keyring_of(store: KeyStore) -> Keyring:
    return Keyring(Settings(), store, lambda: NOW)


async def used_at(store: KeyStore, key: ApiKey) -> datetime | None:
    found = await store.find(key.id)
    return found.last_used_at if found else None


async def test_a_key_comes_back_as_it_was_stored(store: KeyStore) -> None:
    key = mint(Scope.WORKER, "the other service", NOW, bytes(ENTROPY)).key
    await store.insert(key)

    assert await store.find(key.id) == key
    assert await store.find("unknown") is None


async def test_an_id_is_taken_once(store: KeyStore) -> None:
    key = mint(Scope.WORKER, "", NOW, bytes(ENTROPY)).key
    await store.insert(key)

    with pytest.raises(UniqueViolation):
        await store.insert(key)


async def test_use_is_noted_unless_it_was_just_now(store: KeyStore) -> None:
    key = mint(Scope.WORKER, "", NOW, bytes(ENTROPY)).key
    await store.insert(key)

    await store.touch(key.id, NOW, NOW - MINUTE)
    await store.touch(key.id, NOW + MINUTE / 2, NOW - MINUTE / 2)
    assert await used_at(store, key) == NOW
    await store.touch(key.id, NOW + MINUTE, NOW)
    assert await used_at(store, key) == NOW + MINUTE


async def test_a_created_key_opens_the_door_until_it_is_revoked(store: KeyStore) -> None:
    minted = await create_key(store, Scope.METRICS, "scraper", NOW)

    assert await keyring_of(store).authenticate(minted.token.reveal()) is Scope.METRICS
    assert await used_at(store, minted.key) == NOW
    await revoke_key(store, minted.key.id, NOW)
    with pytest.raises(Unauthorized):
        await keyring_of(store).authenticate(minted.token.reveal())


async def test_the_list_has_all_keys_the_oldest_first(store: KeyStore) -> None:
    younger = (await create_key(store, Scope.WORKER, "b", NOW + MINUTE)).key
    older = (await create_key(store, Scope.ADMIN, "a", NOW)).key
    await revoke_key(store, older.id, NOW + MINUTE)

    listed = await list_keys(store)

    assert [(key.id, key.revoked_at) for key in listed] == [(older.id, NOW + MINUTE), (younger.id, None)]


async def test_a_key_is_revoked_once(store: KeyStore) -> None:
    key = (await create_key(store, Scope.WORKER, "", NOW)).key
    await revoke_key(store, key.id, NOW)

    for key_id in (key.id, "unknown"):
        with pytest.raises(NotFound):
            await revoke_key(store, key_id, NOW + MINUTE)


async def test_neither_token_nor_secret_is_in_the_table(store: KeyStore, database: Database) -> None:
    token = (await create_key(store, Scope.ADMIN, "", NOW)).token.reveal()

    dump = await database.fetch_value(inline("select string_agg(api_keys::text, '') from api_keys"))

    assert token not in dump
    assert token.rpartition("_")[2] not in dump
