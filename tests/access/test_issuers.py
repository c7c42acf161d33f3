"""The keys of a real issuer: fetched when they are needed, once for all, and again when they change."""

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pulsekeeper.access.issuers import IssuerKeys
from tests.access.parts import NEW, OLD, known, unknown, until
from tests.support.issuer import Issuer


async def test_nothing_is_fetched_before_the_first_token(lone_issuer: Issuer, keys: IssuerKeys) -> None:
    await wait_all_tasks_blocked()
    assert lone_issuer.fetches() == 0

    assert await known(keys, OLD)
    assert await known(keys, OLD)
    assert lone_issuer.fetches() == 1


async def test_a_new_key_is_known_as_soon_as_a_token_has_it(lone_issuer: Issuer, keys: IssuerKeys) -> None:
    assert await known(keys, OLD)
    lone_issuer.publish(OLD, NEW)

    assert await known(keys, NEW)
    assert await known(keys, OLD)
    assert lone_issuer.fetches() == 2


async def test_a_hundred_invented_keys_cause_one_fetch_for_each_floor(
    lone_issuer: Issuer, keys: IssuerKeys, mock_clock: MockClock
) -> None:
    assert await known(keys, OLD)
    for number in range(100):
        assert await unknown(keys, f"invented-{number}") == 30
    assert lone_issuer.fetches() == 2

    mock_clock.jump(29)
    assert await unknown(keys) == 1
    assert lone_issuer.fetches() == 2
    mock_clock.jump(1)
    assert await unknown(keys) == 30
    assert lone_issuer.fetches() == 3


async def test_invented_keys_before_the_first_good_one_do_no_harm(lone_issuer: Issuer, keys: IssuerKeys) -> None:
    for _ in range(10):
        await unknown(keys)

    assert await known(keys, OLD)
    assert lone_issuer.fetches() == 2


async def test_a_rotation_within_the_floor_is_told_when_to_come_back(
    lone_issuer: Issuer, keys: IssuerKeys, mock_clock: MockClock
) -> None:
    await known(keys, OLD)
    await unknown(keys)
    lone_issuer.publish(NEW)
    mock_clock.jump(10)

    assert await unknown(keys, NEW.key_id) == 20
    mock_clock.jump(20)
    assert await known(keys, NEW)


async def test_all_who_wait_share_one_fetch(lone_issuer: Issuer, keys: IssuerKeys) -> None:
    answers: list[bool] = []

    async def ask() -> None:
        answers.append(await known(keys, OLD))

    lone_issuer.hold()
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(ask)
        await until(lambda: lone_issuer.fetches() == 1)
        lone_issuer.release()

    assert answers == [True] * 100
    assert lone_issuer.fetches() == 1


async def test_all_who_wait_for_a_new_key_share_one_fetch(lone_issuer: Issuer, keys: IssuerKeys) -> None:
    await known(keys, OLD)
    lone_issuer.publish(OLD, NEW)

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(known, keys, NEW)

    assert lone_issuer.fetches() == 2


async def test_who_leaves_does_not_take_the_fetch_along(lone_issuer: Issuer, keys: IssuerKeys) -> None:
    answers: list[bool] = []

    async def stay() -> None:
        answers.append(await known(keys, OLD))

    lone_issuer.hold()
    async with trio.open_nursery() as patient, trio.open_nursery() as impatient:
        impatient.start_soon(known, keys, OLD)
        await until(lambda: lone_issuer.fetches() == 1)
        patient.start_soon(stay)
        await wait_all_tasks_blocked()
        impatient.cancel_scope.cancel()
        lone_issuer.release()

    assert answers == [True]
    assert lone_issuer.fetches() == 1


async def test_a_known_key_never_waits_for_the_issuer(lone_issuer: Issuer, keys: IssuerKeys) -> None:
    await known(keys, OLD)
    lone_issuer.hold()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(unknown, keys)
        await until(lambda: lone_issuer.fetches() == 2)
        assert await known(keys, OLD)
        lone_issuer.release()


async def test_keys_are_fetched_again_before_they_are_old(
    lone_issuer: Issuer, keys: IssuerKeys, mock_clock: MockClock
) -> None:
    await known(keys, OLD)
    lone_issuer.publish(NEW)
    mock_clock.jump(47 * 60)
    assert await known(keys, OLD)
    assert lone_issuer.fetches() == 1

    mock_clock.jump(60)
    await until(lambda: lone_issuer.fetches() == 2)
    assert await known(keys, NEW)
    assert await unknown(keys, OLD.key_id) == 30
