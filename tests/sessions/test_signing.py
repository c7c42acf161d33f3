"""The keys of several nodes on a real database, and what becomes of tokens when a key is new, old or unknown."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Never
from uuid import UUID

import pytest
import trio

from pulsekeeper.actors.inbox import Inbox, Stop
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.errors import Conflict, Unauthorized, Unavailable
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions import signing
from pulsekeeper.sessions.key_store import SigningKeyStore
from pulsekeeper.sessions.records import Claims
from pulsekeeper.sessions.signing import Keykeeper, SigningKeys
from pulsekeeper.sessions.tokens import SigningKey, key_id, sign
from tests.support.postgres import settings_for
from tests.support.waiting import eventually

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
LIFETIME = timedelta(days=2)
CLAIMS = Claims(UUID(int=1), UUID(int=2), NOW)
CUT = inline("select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%' or query = 'select'")
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


def secret(number: int) -> bytes:
    return bytes([number]) * 32


def keys_of(database: Database, *, ready: bool = True) -> SigningKeys:
    schema_ready = trio.Event()
    if ready:
        schema_ready.set()
    return SigningKeys(database, lambda: NOW, schema_ready)


async def refusal(keys: SigningKeys, token: str, now: datetime = NOW) -> str:
    with pytest.raises(Unauthorized) as refused:
        await keys.verify(token, now, LIFETIME)
    return refused.value.code


async def rotate(database: Database, number: int) -> None:
    await SigningKeyStore(database).rotate(secret(number), NOW, None)


async def test_the_first_key_is_that_of_the_node_that_comes_first(database: Database) -> None:
    store = SigningKeyStore(database)
    assert await store.keys() == []

    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(store.add_first, secret(number), NOW)

    [key] = await store.keys()
    await store.add_first(secret(9), NOW)
    assert await store.keys() == [key]


async def test_the_two_newest_keys_are_believed_and_the_others_forgotten(database: Database) -> None:
    store = SigningKeyStore(database)
    for number in range(1, 5):
        await rotate(database, number)

    await store.add_first(secret(9), NOW)  # by a node that has just come
    assert await store.keys() == [SigningKey(4, secret(4)), SigningKey(3, secret(3))]
    assert await database.fetch_value(inline("select count(*) from session_keys")) == 2


async def test_a_rotation_waits_until_the_tokens_of_the_key_that_goes_are_over(database: Database) -> None:
    store = SigningKeyStore(database)
    await store.add_first(secret(1), NOW)
    await store.rotate(secret(2), NOW, LIFETIME)

    with pytest.raises(Conflict, match="would be cut off"):
        await store.rotate(secret(3), NOW + LIFETIME, LIFETIME)
    assert [key.id for key in await store.keys()] == [2, 1]

    await store.rotate(secret(3), NOW + LIFETIME + timedelta(microseconds=1), LIFETIME)
    assert [key.id for key in await store.keys()] == [3, 2]


async def test_of_rotations_at_the_same_moment_none_pushes_the_others_key_out(database: Database) -> None:
    store = SigningKeyStore(database)
    await store.add_first(secret(0), NOW)
    outcomes: list[str] = []

    async def try_to_rotate(number: int) -> None:
        try:
            await store.rotate(secret(number), NOW, LIFETIME)
        except Conflict:
            outcomes.append("refused")
        else:
            outcomes.append("rotated")

    async with trio.open_nursery() as nursery:
        for number in range(1, 6):
            nursery.start_soon(try_to_rotate, number)

    assert sorted(outcomes) == ["refused"] * 4 + ["rotated"]
    assert [key.id for key in await store.keys()] == [2, 1]


async def test_what_one_node_signs_every_node_believes(database: Database) -> None:
    one, other = keys_of(database), keys_of(database)

    assert await other.verify(await one.sign(CLAIMS), NOW, LIFETIME) == CLAIMS
    assert await one.verify(await other.sign(CLAIMS), NOW, LIFETIME) == CLAIMS


async def test_what_is_not_believed_has_a_reason_for_programs(database: Database) -> None:
    keys = keys_of(database)
    token = await keys.sign(CLAIMS)

    assert await refusal(keys, "x") == "token_malformed"
    assert await refusal(keys, sign(CLAIMS, SigningKey(1, secret(1)))) == "token_forged"
    assert await refusal(keys, sign(CLAIMS, SigningKey(9, secret(1)))) == "token_unknown_key"
    assert await refusal(keys, token, NOW + LIFETIME + timedelta(seconds=1)) == "token_expired"


async def test_a_token_outlives_one_rotation_and_not_two(database: Database) -> None:
    token = await keys_of(database).sign(CLAIMS)

    await rotate(database, 2)
    assert await keys_of(database).verify(token, NOW, LIFETIME) == CLAIMS
    await rotate(database, 3)
    assert await refusal(keys_of(database), token) == "token_unknown_key"


async def test_a_new_key_signs_on_every_node_as_soon_as_it_is_announced(
    database: Database, nursery: trio.Nursery
) -> None:
    keys = keys_of(database)
    nursery.start_soon(keys.keep_current)
    await eventually(signs_with(keys, 1))

    await rotate(database, 2)

    await eventually(signs_with(keys, 2))
    nursery.cancel_scope.cancel()


async def test_a_key_that_was_announced_while_the_connection_was_cut_is_found(
    database: Database, nursery: trio.Nursery
) -> None:
    keys = keys_of(database)
    nursery.start_soon(keys.keep_current)
    await eventually(signs_with(keys, 1))

    await database.fetch(CUT)
    await rotate(database, 2)

    await eventually(signs_with(keys, 2))
    nursery.cancel_scope.cancel()


async def test_a_key_that_nobody_announced_is_found_by_the_tokens_that_it_has_signed(database: Database) -> None:
    one, other = keys_of(database), keys_of(database)
    await one.sign(CLAIMS)
    one._read_at = trio.current_time() - 1.0
    await rotate(database, 2)
    token = await other.sign(CLAIMS)

    assert key_id(token) == 2
    assert await one.verify(token, NOW, LIFETIME) == CLAIMS


async def test_ids_of_keys_that_are_made_up_cost_a_query_a_second_and_no_more(database: Database) -> None:
    keys = keys_of(database)
    await keys.sign(CLAIMS)
    keys._read_at = read_at = trio.current_time() + 60.0  # the second is not over, however slow this machine is

    async def ask(number: int) -> None:
        assert await refusal(keys, sign(CLAIMS, SigningKey(number, secret(1)))) == "token_unknown_key"

    async with trio.open_nursery() as nursery:
        for number in range(100, 200):
            nursery.start_soon(ask, number)

    assert keys._read_at == read_at


async def test_nothing_is_read_before_the_schema_is_there(database: Database) -> None:
    keys = keys_of(database, ready=False)

    with pytest.raises(Unavailable):
        await keys.sign(CLAIMS)
    assert await SigningKeyStore(database).keys() == []


async def test_while_the_keys_could_never_be_read_nobody_is_told_that_their_token_is_bad() -> None:
    async with open_database(settings_for(NOWHERE)) as database:
        keys = keys_of(database)

        assert await refusal(keys, "x") == "token_malformed"
        for _ in range(2):
            with pytest.raises(Unavailable):
                await keys.verify(sign(CLAIMS, SigningKey(1, secret(1))), NOW, LIFETIME)
        with pytest.raises(Unavailable):
            await keys.sign(CLAIMS)


def signs_with(keys: SigningKeys, number: int) -> Callable[[], Awaitable[bool]]:
    async def fact() -> bool:
        return key_id(await keys.sign(CLAIMS)) == number

    return fact


async def test_the_next_key_is_waited_for_when_it_comes_within_a_second_of_the_last_look(database: Database) -> None:
    """Somebody has just made us look; meanwhile another node has begun to sign with a new key."""
    keys = keys_of(database)
    await keys.sign(CLAIMS)
    keys._read_at = trio.current_time() - 0.5
    await rotate(database, 2)

    with pytest.raises(Unavailable):
        await keys.verify(sign(CLAIMS, SigningKey(2, secret(2))), NOW, LIFETIME)


async def test_the_keykeeper_hears_of_new_keys_until_it_ends(database: Database) -> None:
    keys = keys_of(database)
    await keys.sign(CLAIMS)
    inbox: Inbox[Never] = Inbox(Mailbox("keykeeper", 1))

    async def signs_with_the_second() -> bool:
        return key_id(await keys.sign(CLAIMS)) == 2

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Keykeeper(keys).run, inbox)
            await rotate(database, 2)
            await eventually(signs_with_the_second)
            inbox.end(Stop.FOR_GOOD)


async def test_a_token_that_was_believed_before_still_grows_old(database: Database) -> None:
    keys = keys_of(database)
    token = await keys.sign(CLAIMS)
    assert await keys.verify(token, NOW, LIFETIME) == CLAIMS

    assert await refusal(keys, token, NOW + LIFETIME + timedelta(microseconds=1)) == "token_expired"
    assert await refusal(keys, token, NOW - timedelta(minutes=6)) == "token_malformed"
    assert await keys.verify(token, NOW + LIFETIME, LIFETIME) == CLAIMS


async def test_a_token_is_not_believed_from_memory_when_its_key_is_gone(database: Database) -> None:
    keys = keys_of(database)
    await rotate(database, 1)
    token = await keys.sign(CLAIMS)
    assert await keys.verify(token, NOW, LIFETIME) == CLAIMS
    for number in (2, 3):
        await rotate(database, number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keys.keep_current)

        async def is_changed() -> bool:
            return key_id(await keys.sign(CLAIMS)) == 3

        await eventually(is_changed)
        assert await refusal(keys, token) == "token_unknown_key"
        nursery.cancel_scope.cancel()


async def test_what_is_remembered_of_tokens_is_bounded_and_forged_ones_are_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "_REMEMBERED", 3)
    keys = keys_of(database)
    tokens = [await keys.sign(Claims(UUID(int=1), UUID(int=number), NOW)) for number in range(8)]

    for number, token in enumerate(tokens * 2):
        assert (await keys.verify(token, NOW, LIFETIME)).session_id == UUID(int=number % 8)
        assert await refusal(keys, sign(CLAIMS, SigningKey(1, secret(number)))) == "token_forged"
        assert len(keys._believed) <= 3
