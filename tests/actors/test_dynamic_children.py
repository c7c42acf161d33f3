"""Children that are started and stopped while the tree runs."""

from functools import partial
from typing import Any, NoReturn

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pulsekeeper import errors
from pulsekeeper.actors.child import ChildSpec, State
from pulsekeeper.actors.mailbox import Mailbox, Ref
from pulsekeeper.actors.restarts import Budget, Restart, Strategy
from pulsekeeper.actors.supervisor import StartChild, StopChild, Supervisor
from pulsekeeper.actors.tree import open_tree
from tests.actors.recorder import PLENTY, Echo, Recorder, ask_and_note, branch, open_branch


async def test_children_are_started_and_stopped_while_the_tree_runs(autojump_clock: MockClock) -> None:
    family = Recorder()

    async with open_branch(lambda: Supervisor([])) as ref:
        await ref.ask(StartChild(family.spec("daily")))
        await ref.ask(StartChild(family.spec("hourly")))
        await ref.ask(StopChild("daily"))
        assert family.notes == ["+daily", "+hourly", "-daily"]

    assert family.notes == ["+daily", "+hourly", "-daily", "-hourly"]


async def test_a_name_is_taken_until_its_child_is_stopped(autojump_clock: MockClock) -> None:
    family = Recorder()

    async with open_branch(lambda: Supervisor([])) as ref:
        await ref.ask(StartChild(family.spec("daily")))
        with pytest.raises(errors.Conflict):
            await ref.ask(StartChild(family.spec("daily")))
        await ref.ask(StopChild("daily"))
        family.boxes.clear()
        await ref.ask(StartChild(family.spec("daily")))

        with pytest.raises(errors.NotFound):
            await ref.ask(StopChild("weekly"))


async def test_a_dynamic_child_that_dies_before_its_first_read_is_reported(autojump_clock: MockClock) -> None:
    async def fail() -> None:
        raise ValueError("bug")

    family = Recorder()

    async with open_branch(lambda: Supervisor([])) as ref:
        with pytest.raises(errors.Unavailable, match="daily ended before it had started"):
            await ref.ask(StartChild(family.spec("daily", before_reading=fail, restart=Restart.TEMPORARY)))


async def test_a_dynamic_child_that_hangs_at_its_start_holds_nobody_up(autojump_clock: MockClock) -> None:
    family = Recorder()

    async with open_branch(lambda: Supervisor([])) as ref:
        with trio.move_on_after(1):
            await ref.ask(StartChild(family.spec("slow", before_reading=trio.sleep_forever)))
        await ref.ask(StartChild(family.spec("daily")))

        assert family.notes == ["+slow", "+daily"]


async def test_a_child_that_was_stopped_is_not_brought_back_by_the_crash_of_a_sibling(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    family = Recorder()
    children = [family.spec("a"), family.spec("b")]

    async with open_branch(lambda: Supervisor(children, strategy=Strategy.ONE_FOR_ALL)) as ref:
        await family.tell("b", 1.0)  # b takes a second to notice that it shall end
        nursery.start_soon(ref.ask, StopChild("b"))
        await wait_all_tasks_blocked()
        await family.tell("a", ValueError("bug"))
        await trio.sleep(3)

        assert family.notes == ["+a", "+b", "-a", "-b", "+a"]


async def test_a_child_that_is_stopped_while_its_group_is_restarted_is_not_the_first_to_come_back(
    autojump_clock: MockClock,
) -> None:
    for _ in range(8):  # two tasks wait for the same end, and either may hear of it first
        family = Recorder()
        children = [family.spec("a"), family.spec("b")]
        async with (
            open_branch(partial(Supervisor, children, strategy=Strategy.ONE_FOR_ALL)) as ref,
            trio.open_nursery() as stopping,
        ):
            await family.tell("a", 1.0)
            await family.tell("b", ValueError("bug"))  # now the supervisor waits for a
            stopping.start_soon(ref.ask, StopChild("a"))
            await trio.sleep(3)

            assert family.notes == ["+a", "+b", "-b", "-a", "+b"]


async def test_a_supervisor_that_is_restarted_forgets_the_dynamic_children_of_its_lives(
    autojump_clock: MockClock,
) -> None:
    family = Recorder()
    below = branch("below", lambda: Supervisor([family.spec("a")], budget=Budget(limit=0, period=5.0)))
    root = Supervisor([below], budget=PLENTY)

    async with open_tree(root) as started:
        await started.wait()
        for _ in range(5):
            family.boxes.pop("daily", None)
            await below.mailbox.ref.ask(StartChild(family.spec("daily")))
            await family.tell("a", ValueError("bug"))
            await trio.sleep(6)

        assert root.mailboxes() == {below.mailbox, family.boxes["a"]}


async def test_a_child_that_died_at_its_first_start_is_gone_and_spent_no_budget(autojump_clock: MockClock) -> None:
    """It stayed, was started again and again, and its name was taken for whoever tried once more."""
    family = Recorder()
    bug = ValueError("bug")

    async def fail() -> None:
        raise bug

    async with open_branch(lambda: Supervisor([], budget=Budget(limit=0, period=5.0))) as ref:
        for _ in range(3):
            family.boxes.clear()
            with pytest.raises(errors.Unavailable) as failure:
                await ref.ask(StartChild(family.spec("daily", before_reading=fail)))
            assert failure.value.__cause__ is bug
        family.boxes.clear()
        await ref.ask(StartChild(family.spec("daily")))


async def test_a_factory_that_raises_is_a_crash_of_its_child_alone(autojump_clock: MockClock) -> None:
    """It took the whole supervisor along, without the order of stopping."""
    family = Recorder()

    def broken() -> NoReturn:
        raise ValueError("no configuration")

    async with open_branch(lambda: Supervisor([family.spec("a")])) as ref:
        with pytest.raises(errors.Unavailable, match="daily ended before it had started"):
            await ref.ask(StartChild(ChildSpec(name="daily", start=broken, mailbox=Mailbox("daily", 1))))

        assert family.notes == ["+a"]


async def test_a_child_cannot_come_back_to_a_closed_mailbox(autojump_clock: MockClock) -> None:
    """It ended at its first read, again and again, until the budget was spent."""
    family = Recorder()

    async with open_branch(lambda: Supervisor([])) as ref:
        await ref.ask(StartChild(family.spec("daily")))
        await ref.ask(StopChild("daily"))
        with pytest.raises(errors.Conflict, match="the mailbox of daily is closed"):
            await ref.ask(StartChild(family.spec("daily")))

        assert family.notes == ["+daily", "-daily"]


async def test_a_child_that_was_stopped_stays_away_when_its_supervisor_is_restarted(autojump_clock: MockClock) -> None:
    """It was started with its closed mailbox, ended at its first read, and so spent the new supervisor's budget."""
    family = Recorder()

    def make() -> Supervisor:
        return Supervisor([family.spec("a"), family.spec("b")], budget=Budget(limit=0, period=5.0))

    async with open_branch(make) as ref:
        await ref.ask(StopChild("b"))
        await family.tell("a", ValueError("bug"))

        assert await family.boxes["a"].ref.ask(Echo("back")) == "back"
        assert family.notes == ["+a", "+b", "-b", "-a", "+a"]


async def test_dynamic_children_are_gone_when_their_supervisor_is_restarted_and_whoever_waits_is_told(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    family = Recorder()
    answers: list[str] = []

    def make() -> Supervisor:
        return Supervisor([family.spec("a")], budget=Budget(limit=0, period=5.0))

    async with open_branch(make) as ref:
        await ref.ask(StartChild(family.spec("daily")))
        await family.tell("daily", 1.0)
        nursery.start_soon(ask_and_note, family.boxes["daily"].ref, answers)
        await family.tell("a", ValueError("bug"))
        await trio.sleep(2)
        assert answers == ["MailboxClosed"]

        family.boxes.pop("daily")
        await ref.ask(StartChild(family.spec("daily")))


async def test_whoever_asks_to_stop_what_is_being_stopped_hears_when_it_is_gone(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The second one was told at once that there was no such child, while it still worked."""
    family = Recorder()
    gone_at: list[float] = []

    async def stop(ref: Ref[Any]) -> None:
        await ref.ask(StopChild("a"))
        gone_at.append(trio.current_time())

    async with open_branch(lambda: Supervisor([family.spec("a")])) as ref:
        await family.tell("a", 2.0)
        nursery.start_soon(stop, ref)
        nursery.start_soon(stop, ref)
        await trio.sleep(3)

    assert gone_at == [2.0, 2.0]


@pytest.mark.parametrize("strategy", Strategy)
async def test_a_child_that_waits_for_its_restart_can_be_stopped(strategy: Strategy, autojump_clock: MockClock) -> None:
    family = Recorder()
    children = [family.spec("a"), family.spec("b")]

    async with open_branch(lambda: Supervisor(children, strategy=strategy)) as ref:
        await family.tell("b", ValueError("bug"))
        await family.tell("b", ValueError("bug"))  # now it waits 50 ms
        await ref.ask(StopChild("b"))
        assert family.boxes["b"].closed
        lives = family.notes.count("+b")
        await trio.sleep(1)

        assert family.notes.count("+b") == lives


async def test_stopping_a_child_that_hangs_at_its_restart_lets_the_next_one_start(autojump_clock: MockClock) -> None:
    family, hang = Recorder(), [False]

    async def load() -> None:
        if hang[0]:
            await trio.sleep_forever()

    children = [family.spec("a", before_reading=load), family.spec("b")]

    async with open_branch(lambda: Supervisor(children, strategy=Strategy.REST_FOR_ONE)) as ref:
        hang[0] = True
        await family.tell("a", ValueError("bug"))
        assert family.notes == ["+a", "+b", "-a", "-b", "+a"]

        await ref.ask(StopChild("a"))
        assert await family.boxes["b"].ref.ask(Echo("up")) == "up"


async def test_a_dynamic_child_is_restarted_while_an_elder_hangs_at_its_start(autojump_clock: MockClock) -> None:
    """Its first start waited for nobody, but until the elder was up it was neither shown as running nor restarted."""
    family, hang = Recorder(), [False]

    async def load() -> None:
        if hang[0]:
            await trio.sleep_forever()

    supervisor = Supervisor([family.spec("a", before_reading=load)], budget=PLENTY)

    async with open_branch(lambda: supervisor) as ref:
        hang[0] = True
        await family.tell("a", ValueError("bug"))
        await ref.ask(StartChild(family.spec("daily")))
        assert [status.state for status in supervisor.statuses()] == [State.STARTING, State.RUNNING]

        await family.tell("daily", ValueError("bug"))
        assert await family.boxes["daily"].ref.ask(Echo("back")) == "back"


async def test_a_child_asked_for_while_the_supervisor_gives_up_is_refused(autojump_clock: MockClock) -> None:
    """It was started all the same, and then cancelled without its grace."""
    family = Recorder()

    def make() -> Supervisor:
        return Supervisor([family.spec("a"), family.spec("b")], budget=Budget(limit=0, period=5.0))

    async with open_branch(make) as ref:
        await family.tell("b", 1.0)
        await family.tell("a", ValueError("bug"))  # now it waits for b

        with pytest.raises(errors.Unavailable, match="the supervisor is stopping"):
            await ref.ask(StartChild(family.spec("daily")))
        assert "+daily" not in family.notes


async def test_a_child_stopped_before_it_has_started_is_reported_to_whoever_asked_for_it(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    family = Recorder()
    told = trio.Event()

    async def start(ref: Ref[Any]) -> None:
        with pytest.raises(errors.Unavailable, match="daily ended before it had started"):
            await ref.ask(StartChild(family.spec("daily", before_reading=trio.sleep_forever)))
        told.set()

    async with open_branch(lambda: Supervisor([])) as ref:
        nursery.start_soon(start, ref)
        await wait_all_tasks_blocked()
        await ref.ask(StopChild("daily"))
        await told.wait()


async def test_supervisors_understand_questions_that_are_only_told(autojump_clock: MockClock) -> None:
    family = Recorder()

    async with open_branch(lambda: Supervisor([])) as ref:
        await ref.tell(StartChild(family.spec("daily")))
        await wait_all_tasks_blocked()
        await ref.tell(StopChild("daily"))
        await wait_all_tasks_blocked()

        assert family.notes == ["+daily", "-daily"]
