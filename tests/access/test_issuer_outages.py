"""An issuer that dies, comes back, is slow, or talks nonsense: what is known stays known."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pulsekeeper.access.issuers import IssuerKeys
from tests.access.parts import NEW, OLD, known, unknown, until
from tests.support.issuer import Issuer, IssuerProcess


async def test_a_dead_issuers_keys_are_good_for_ever(
    fragile_issuers: IssuerProcess, lone_issuer: Issuer, keys: IssuerKeys, mock_clock: MockClock
) -> None:
    await known(keys, OLD)
    fragile_issuers.kill()

    for _ in range(3):
        mock_clock.jump(3600)
        await wait_all_tasks_blocked()
        assert await known(keys, OLD)
        assert await unknown(keys) <= 30

    lone_issuer.publish(NEW)
    fragile_issuers.start()
    mock_clock.jump(30)
    assert await known(keys, NEW)


async def test_an_issuer_that_is_down_from_the_start_is_asked_once_in_a_while(
    fragile_issuers: IssuerProcess, keys: IssuerKeys, mock_clock: MockClock
) -> None:
    fragile_issuers.kill()
    assert await unknown(keys) == 30
    mock_clock.jump(10)
    assert await unknown(keys) == 20

    fragile_issuers.start()
    assert await unknown(keys) == 20
    mock_clock.jump(20)
    assert await known(keys, OLD)


async def test_a_slow_issuer_is_given_up(lone_issuer: Issuer, keys: IssuerKeys, mock_clock: MockClock) -> None:
    lone_issuer.hold()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(unknown, keys)
        await until(lambda: lone_issuer.fetches() == 1)
        mock_clock.jump(3)
    lone_issuer.release()

    mock_clock.jump(30)
    assert await known(keys, OLD)


@pytest.mark.parametrize("document", [b"<html>", b" " * 300_000, b'{"keys": ["' + b'", "' * 200 + b'"]}'])
async def test_nonsense_takes_nothing_away(
    lone_issuer: Issuer, keys: IssuerKeys, mock_clock: MockClock, document: bytes
) -> None:
    await known(keys, OLD)
    lone_issuer.publish_bytes(document)
    assert await unknown(keys) == 30

    assert await known(keys, OLD)
    lone_issuer.publish(NEW)
    mock_clock.jump(30)
    assert await known(keys, NEW)


async def test_an_issuer_may_withdraw_every_key(lone_issuer: Issuer, keys: IssuerKeys) -> None:
    await known(keys, OLD)
    lone_issuer.publish()

    await unknown(keys)
    await unknown(keys, OLD.key_id)
