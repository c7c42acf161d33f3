"""How long a client is waited for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from pulsekeeper.web.waiting import ClientWait

IDLE = 75.0


@asynccontextmanager
async def watched() -> AsyncIterator[ClientWait]:
    """One with its watcher beside it."""
    reading = ClientWait(IDLE)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reading.watch)
        yield reading
        reading.unwatch()


async def test_idleness_ends_on_time(autojump_clock: MockClock) -> None:
    async with watched() as reading:
        with reading.begin():
            reading.allow_idleness()
            await trio.sleep_forever()
        assert (autojump_clock.current_time(), reading.is_late) == (IDLE, True)


@pytest.mark.parametrize("busy", [0.001, 10.0, 74.999, 75.0, 80.0, 200.0])
async def test_idleness_begins_anew_with_each_request(autojump_clock: MockClock, busy: float) -> None:
    """However long the answers take, and whatever the watcher is sleeping for."""
    async with watched() as reading:
        with reading.begin():
            for _ in range(5):
                reading.allow_idleness()
                await trio.sleep(20)
                reading.pause()
                await trio.sleep(busy)
            began = autojump_clock.current_time()
            reading.allow_idleness()
            await trio.sleep_forever()
        assert autojump_clock.current_time() == pytest.approx(began + IDLE)
        assert reading.is_late


async def test_what_has_begun_has_a_deadline_of_its_own(autojump_clock: MockClock) -> None:
    async with watched() as reading:
        with reading.begin():
            reading.allow_idleness()
            reading.allow_until(1.0)
            await trio.sleep_forever()
        assert (autojump_clock.current_time(), reading.is_late) == (1.0, True)
        with reading.begin():
            reading.allow_until(2.0)
            reading.pause()
            await trio.sleep(500)
        assert not reading.is_over


async def test_to_be_cancelled_is_not_to_be_late(autojump_clock: MockClock) -> None:
    async with watched() as reading:
        with reading.begin():
            reading.allow_idleness()
            reading.cancel()
            await trio.sleep_forever()
        assert (reading.is_over, reading.is_late) == (True, False)


async def test_a_new_scope_owes_nothing_to_the_one_before(autojump_clock: MockClock) -> None:
    async with watched() as reading:
        with reading.begin():
            reading.allow_until(1.0)
            await trio.sleep_forever()
        with reading.begin():
            await trio.sleep(1000)
            reading.allow_idleness()
            await trio.sleep_forever()
        assert autojump_clock.current_time() == 1001 + IDLE


async def test_a_server_that_allows_no_idleness_does_not_spin() -> None:
    """While a request is answered, nothing is waited for, and the watcher has nothing to do."""
    reading, looks = ClientWait(0.0), Looks()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reading.watch)
        trio.lowlevel.add_instrument(looks)
        await trio.sleep(0.1)
        trio.lowlevel.remove_instrument(looks)
        with trio.fail_after(2), reading.begin():
            reading.allow_idleness()
            await trio.sleep_forever()
        reading.unwatch()
    assert looks.count < 100


class Looks(trio.abc.Instrument):
    """Counts what the tasks do."""

    def __init__(self) -> None:
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """One more."""
        self.count += 1


async def test_it_goes_on_watching_after_an_end_that_came_to_nothing(autojump_clock: MockClock) -> None:
    """Something had arrived in the very same moment, so the connection went on."""
    async with watched() as reading:
        with reading.begin():
            reading.allow_idleness()
            await trio.sleep_forever()
        with trio.fail_after(1000), reading.begin():
            await trio.sleep(IDLE / 2)
            reading.allow_idleness()
            await trio.sleep_forever()
        assert autojump_clock.current_time() == 2.5 * IDLE


async def test_what_has_been_ended_says_so_at_once(autojump_clock: MockClock) -> None:
    async with watched() as reading:
        with reading.begin():
            assert not reading.is_over
            reading.allow_until(1.0)
            autojump_clock.jump(1.0)
            assert (reading.is_over, reading.is_late) == (True, True)
