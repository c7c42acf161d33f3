"""What is seen of a child from outside."""

import trio
from trio.testing import MockClock

from pulsekeeper.actors.child import ChildSpec, State
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.actors.restarts import Strategy
from pulsekeeper.actors.supervisor import Supervisor
from pulsekeeper.actors.tree import open_tree
from tests.actors.recorder import PLENTY, Recorder, crashing


async def test_statuses_show_the_whole_tree(autojump_clock: MockClock) -> None:
    family = Recorder()
    inner = Supervisor([family.spec("a")])
    subtree = ChildSpec(name="below", start=lambda: inner, mailbox=Mailbox("below", 8), grace=10)
    supervisor = Supervisor([subtree, family.spec("b", allowance=5.0)])

    async with open_tree(supervisor) as started:
        await started.wait()
        await family.tell("a", ValueError("bug"))
        await family.tell("b", 100)
        await family.tell("b", "waits")
        await trio.sleep(6)
        below, b = supervisor.statuses()

    assert [(child.name, child.state, child.restarts) for child in below.children] == [("a", State.RUNNING, 1)]
    assert (b.depth, b.peak, b.capacity) == (1, 1, 8)
    assert b.stuck
    assert not below.stuck


async def test_the_states_of_a_group_that_is_being_restarted(autojump_clock: MockClock) -> None:
    """The one that had crashed was shown as running until the others had ended."""
    family = Recorder()
    supervisor = Supervisor([family.spec(name) for name in "abc"], strategy=Strategy.ONE_FOR_ALL)

    def states() -> list[State]:
        return [status.state for status in supervisor.statuses()]

    async with open_tree(supervisor) as started:
        assert states() == [State.WAITING] * 3
        await started.wait()
        assert states() == [State.RUNNING] * 3

        await family.tell("c", 1.0)
        await family.tell("b", ValueError("bug"))
        assert states() == [State.RUNNING, State.WAITING, State.STOPPING]
        await family.tell("a", ValueError("another bug"))
        assert states() == [State.WAITING, State.WAITING, State.STOPPING]

        await trio.sleep(2)
        assert states() == [State.RUNNING] * 3
        await family.tell("c", 1.0)
        await family.tell("a", 2.0)
    assert states() == [State.ENDED] * 3


async def test_a_child_is_starting_until_its_first_read_and_waits_between_its_lives(autojump_clock: MockClock) -> None:
    family, loaded = Recorder(), trio.Event()
    children = [family.spec("a", before_reading=loaded.wait), family.spec("b", before_reading=crashing(100))]
    supervisor = Supervisor(children, budget=PLENTY)

    async with open_tree(supervisor):
        await trio.sleep(1)
        assert [status.state for status in supervisor.statuses()] == [State.STARTING, State.WAITING]
        loaded.set()
        await trio.sleep(10)
        assert [status.state for status in supervisor.statuses()] == [State.RUNNING, State.WAITING]


async def test_restarts_are_counted_for_all_that_were_started_again(autojump_clock: MockClock) -> None:
    """Only the one that had crashed was counted."""
    family = Recorder()
    supervisor = Supervisor([family.spec(name) for name in "abc"], strategy=Strategy.REST_FOR_ONE)

    async with open_tree(supervisor) as started:
        await started.wait()
        await family.tell("b", ValueError("bug"))

        assert [status.restarts for status in supervisor.statuses()] == [0, 1, 1]


async def test_an_actor_is_busy_while_it_works_on_a_message_and_stuck_beyond_its_allowance(
    autojump_clock: MockClock,
) -> None:
    family = Recorder()
    supervisor = Supervisor([family.spec("a", allowance=5.0)])

    async with open_tree(supervisor) as started:
        await started.wait()
        seen = []
        await family.tell("a", 6.0)
        for _ in range(3):
            (status,) = supervisor.statuses()
            seen.append((status.busy_since, status.stuck))
            await trio.sleep(5.5)

    assert seen == [(0.0, False), (0.0, True), (None, False)]
