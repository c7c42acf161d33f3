"""The topmost supervisor, and how a tree ends."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pulsekeeper.actors.restarts import Budget
from pulsekeeper.actors.supervisor import BudgetSpent, Supervisor
from pulsekeeper.actors.tree import open_tree
from tests.actors.recorder import Recorder, ask_and_note, branch


async def test_a_tree_whose_surroundings_are_cancelled_ends_without_hanging(autojump_clock: MockClock) -> None:
    family = Recorder()

    with trio.move_on_after(1) as scope:
        async with open_tree(Supervisor([family.spec("a"), family.spec("b")])):
            await trio.sleep_forever()

    assert scope.cancelled_caught
    assert sorted(family.notes) == ["+a", "+b", "-a", "-b"]


async def test_an_error_in_the_block_stops_the_tree_in_order_and_is_raised(autojump_clock: MockClock) -> None:
    family = Recorder()

    with pytest.RaisesGroup(KeyError):
        async with open_tree(Supervisor([family.spec("a"), family.spec("b")])) as started:
            await started.wait()
            raise KeyError("from the block")

    assert family.notes == ["+a", "+b", "-b", "-a"]


async def test_whoever_waits_for_an_answer_when_the_root_gives_up_is_told(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The mail was kept for a next life that never came: the asker waited for ever."""
    family = Recorder()
    answers: list[str] = []
    below = branch("below", lambda: Supervisor([family.spec("a")], budget=Budget(limit=0, period=5.0)))
    root = Supervisor([below, family.spec("b")], budget=Budget(limit=0, period=5.0))

    with pytest.raises(BudgetSpent):  # noqa: PT012  # it is the block that raises
        async with open_tree(root) as started:
            await started.wait()
            for name in ("a", "b"):
                await family.tell(name, 1.0)
                await family.tell(name, ValueError("bug"))
                nursery.start_soon(ask_and_note, family.boxes[name].ref, answers)
            await trio.sleep_forever()
    await wait_all_tasks_blocked()

    assert answers == ["MailboxClosed"] * 2


async def test_whoever_waits_for_an_answer_when_the_tree_is_cancelled_is_told(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Nobody closed the mailboxes: the asker waited for ever."""
    family = Recorder()
    answers: list[str] = []
    below = branch("below", lambda: Supervisor([family.spec("a")]))

    with trio.move_on_after(1):
        async with open_tree(Supervisor([below])) as started:
            await started.wait()
            await family.tell("a", 10.0)
            nursery.start_soon(ask_and_note, family.boxes["a"].ref, answers)
            await trio.sleep_forever()
    await wait_all_tasks_blocked()

    assert answers == ["MailboxClosed"]


async def test_a_tree_may_be_left_before_anything_in_it_has_run(autojump_clock: MockClock) -> None:
    family = Recorder()

    async with open_tree(Supervisor([family.spec("a")])):
        pass

    assert family.notes.count("+a") == family.notes.count("-a")
