"""The actor that does the upkeep, with a task of three lines in the place of each room's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import pytest
import trio
from msgspec import Struct
from structlog.testing import capture_logs
from trio.testing import MockClock

from pulsekeeper import errors
from pulsekeeper.actors.child import ChildSpec
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.actors.supervisor import Supervisor
from pulsekeeper.actors.tree import open_tree
from pulsekeeper.postgres.caretaker import INTERVAL, RETRY, Caretaker
from pulsekeeper.postgres.failures import TransactionConflict
from tests.support.decisions import NOW


class Done(Struct):
    """What a run has done."""

    dropped: int = 0


class Work:
    """Notes when it is called, after it has failed as it was told to."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls: list[float] = []
        self.hangs = False

    async def __call__(self, now: datetime) -> Done | None:
        assert now == NOW
        self.calls.append(trio.current_time())
        if self.hangs:
            await trio.sleep_forever()
        if self.failures:
            raise self.failures.pop(0)
        return None if len(self.calls) % 2 else Done()


@asynccontextmanager
async def caring(work: Work, ready: trio.Event, **others: Work) -> AsyncIterator[None]:
    rooms = {"decisions": work, **others}
    mailbox: Mailbox[None] = Mailbox("caretaker", 1)
    spec = ChildSpec(name="caretaker", start=lambda: Caretaker(rooms, lambda: NOW, ready), mailbox=mailbox)
    supervisor = Supervisor([spec])
    async with open_tree(supervisor) as started:
        await started.wait()
        yield
        assert supervisor.statuses()[0].restarts == 0


@pytest.fixture
def ready() -> trio.Event:
    event = trio.Event()
    event.set()
    return event


async def test_it_works_at_once_and_then_every_hour(ready: trio.Event, autojump_clock: MockClock) -> None:
    work, before = Work(), trio.current_time()

    async with caring(work, ready):
        await trio.sleep(2.5 * INTERVAL)

    assert [call - before for call in work.calls] == pytest.approx([0, INTERVAL, 2 * INTERVAL])


async def test_it_waits_for_the_schema(autojump_clock: MockClock) -> None:
    work, ready = Work(), trio.Event()

    async with caring(work, ready):
        await trio.sleep(INTERVAL)
        assert work.calls == []
        ready.set()
        await trio.sleep(1)

    assert len(work.calls) == 1


@pytest.mark.parametrize("outage", [errors.Unavailable("gone"), TransactionConflict("locked")], ids=["outage", "lock"])
async def test_what_could_not_be_done_is_tried_again_soon(
    outage: Exception, ready: trio.Event, autojump_clock: MockClock
) -> None:
    work, before = Work(outage, outage), trio.current_time()

    async with caring(work, ready):
        await trio.sleep(3 * RETRY)

    assert [call - before for call in work.calls] == pytest.approx([0, RETRY, 2 * RETRY])


async def test_a_failure_is_logged_and_nobody_else_is_the_worse_for_it(
    ready: trio.Event, autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its restart budget is that of all minds, and so of the node."""
    work = Work(RuntimeError("permission denied"))

    async with caring(work, ready):
        await trio.sleep(1.5 * INTERVAL)

    assert len(work.calls) == 2
    assert "maintenance_failed" in "".join(capsys.readouterr())


async def test_a_run_that_hangs_is_given_up(ready: trio.Event, autojump_clock: MockClock) -> None:
    work = Work()
    work.hangs = True

    async with caring(work, ready):
        await trio.sleep(INTERVAL + 2 * RETRY)

    assert len(work.calls) == 2


async def test_it_ends_at_once_in_the_middle_of_a_run(ready: trio.Event, autojump_clock: MockClock) -> None:
    work = Work()
    work.hangs = True
    async with caring(work, ready):
        await trio.sleep(1)
        before = trio.current_time()

    assert trio.current_time() == before


async def test_what_was_done_is_told_room_by_room(ready: trio.Event, autojump_clock: MockClock) -> None:
    with capture_logs() as lines:
        async with caring(Work(), ready, sessions=Work()):
            await trio.sleep(1.5 * INTERVAL)

    told = {line["room"]: (line["event"], line["dropped"]) for line in lines}
    assert told == {"decisions": ("maintained", 0), "sessions": ("maintained", 0)}


@pytest.mark.parametrize("failure", [RuntimeError("denied"), errors.Unavailable("gone"), TransactionConflict("locked")])
async def test_the_failure_of_one_room_is_nothing_to_the_others(
    failure: Exception, ready: trio.Event, autojump_clock: MockClock
) -> None:
    failing, well, before = Work(*[failure] * 100), Work(), trio.current_time()

    async with caring(failing, ready, sessions=well):
        await trio.sleep(2.5 * INTERVAL)

    assert len(failing.calls) > 2
    assert [call - before for call in well.calls] == pytest.approx([0, INTERVAL, 2 * INTERVAL])


async def test_a_room_that_hangs_keeps_no_other_waiting(ready: trio.Event, autojump_clock: MockClock) -> None:
    hanging, well = Work(), Work()
    hanging.hangs = True

    async with caring(hanging, ready, sessions=well):
        await trio.sleep(INTERVAL / 2)

    assert (len(hanging.calls), len(well.calls)) == (1, 1)
