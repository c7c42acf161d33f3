"""Each rule of supervision, with real actors on a clock that jumps."""

from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pulsekeeper import errors
from pulsekeeper.actors.child import ChildSpec, State
from pulsekeeper.actors.inbox import Inbox
from pulsekeeper.actors.mailbox import Mailbox, MailboxClosed
from pulsekeeper.actors.question import ActorFailed, Question
from pulsekeeper.actors.restarts import Budget, Restart, Strategy
from pulsekeeper.actors.supervisor import BudgetSpent, StartChild, StopChild, Supervisor
from pulsekeeper.actors.tree import open_tree

PLENTY = Budget(limit=1000, period=5.0)


class Echo(Question[str]):
    text: str


class Recorder:
    """A family of actors that note their starts and ends, and do as they are told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.boxes: dict[str, Mailbox[Any]] = {}

    def spec(self, name: str, *, before_reading: Callable[[], Awaitable[None]] | None = None, **how: Any) -> ChildSpec:
        mailbox = self.boxes.setdefault(name, Mailbox(name, 8))
        return ChildSpec(name=name, start=lambda: _Recorded(self.notes, name, before_reading), mailbox=mailbox, **how)

    async def tell(self, name: str, message: object) -> None:
        await self.boxes[name].ref.tell(message)
        await wait_all_tasks_blocked()


class _Recorded:
    def __init__(self, notes: list[str], name: str, before_reading: Callable[[], Awaitable[None]] | None) -> None:
        self._notes = notes
        self._name = name
        self._before_reading = before_reading

    async def run(self, inbox: Inbox[Any]) -> None:
        self._notes.append(f"+{self._name}")
        try:
            if self._before_reading is not None:
                await self._before_reading()
            async for message in inbox:
                if await self._obey(message):
                    return
        finally:
            self._notes.append(f"-{self._name}")

    async def _obey(self, message: object) -> bool:
        match message:
            case Exception():
                raise message
            case Echo(text=text):
                message.reply(text)
            case "end":
                return True
            case float() | int():
                await trio.sleep(message)
            case _:
                self._notes.append(f"{self._name}:{message}")
        return False


async def test_children_start_in_order_and_stop_in_reverse(autojump_clock: MockClock) -> None:
    family = Recorder()

    async with open_tree(Supervisor([family.spec("a"), family.spec("b"), family.spec("c")])) as started:
        await started.wait()

    assert family.notes == ["+a", "+b", "+c", "-c", "-b", "-a"]


async def test_the_next_sibling_waits_for_the_first_read_of_the_one_before(autojump_clock: MockClock) -> None:
    family, loaded = Recorder(), trio.Event()
    first = family.spec("a", before_reading=loaded.wait)

    async with open_tree(Supervisor([first, family.spec("b")])) as started:
        await wait_all_tasks_blocked()
        assert family.notes == ["+a"]
        assert not started.is_set()

        loaded.set()
        await started.wait()
        assert family.notes == ["+a", "+b"]


async def test_a_subtree_counts_as_started_when_all_of_it_is(autojump_clock: MockClock) -> None:
    family, loaded = Recorder(), trio.Event()
    below = Supervisor([family.spec("a"), family.spec("b", before_reading=loaded.wait)])
    subtree = ChildSpec(name="below", start=lambda: below, mailbox=Mailbox("below", 8), grace=10)

    async with open_tree(Supervisor([subtree, family.spec("c")])) as started:
        await wait_all_tasks_blocked()
        assert family.notes == ["+a", "+b"]
        loaded.set()
        await started.wait()

    assert family.notes == ["+a", "+b", "+c", "-c", "-b", "-a"]


async def test_one_for_one_restarts_the_crashed_child_alone(autojump_clock: MockClock) -> None:
    family = Recorder()
    children = [family.spec(name) for name in "abc"]

    async with open_tree(Supervisor(children, strategy=Strategy.ONE_FOR_ONE)) as started:
        await started.wait()
        await family.tell("b", ValueError("bug"))

    assert family.notes == ["+a", "+b", "+c", "-b", "+b", "-c", "-b", "-a"]


async def test_rest_for_one_restarts_it_and_those_started_after_it(autojump_clock: MockClock) -> None:
    family = Recorder()
    children = [family.spec(name) for name in "abcd"]

    async with open_tree(Supervisor(children, strategy=Strategy.REST_FOR_ONE)) as started:
        await started.wait()
        await family.tell("b", ValueError("bug"))
        assert family.notes == ["+a", "+b", "+c", "+d", "-b", "-d", "-c", "+b", "+c", "+d"]


async def test_one_for_all_restarts_all(autojump_clock: MockClock) -> None:
    family = Recorder()
    children = [family.spec(name) for name in "abc"]

    async with open_tree(Supervisor(children, strategy=Strategy.ONE_FOR_ALL)) as started:
        await started.wait()
        await family.tell("b", ValueError("bug"))
        assert family.notes == ["+a", "+b", "+c", "-b", "-c", "-a", "+a", "+b", "+c"]


async def test_what_waits_in_the_mailbox_survives_a_crash_and_the_message_in_hand_does_not(
    autojump_clock: MockClock,
) -> None:
    family = Recorder()

    async with open_tree(Supervisor([family.spec("a")])) as started:
        await started.wait()
        ref = family.boxes["a"].ref
        ref.tell_nowait(ValueError("poison"))
        ref.tell_nowait("next")
        await wait_all_tasks_blocked()
        assert family.notes == ["+a", "-a", "+a", "a:next"]


async def test_mail_survives_the_restart_of_a_sibling(autojump_clock: MockClock) -> None:
    family = Recorder()
    children = [family.spec("a"), family.spec("b")]

    async with open_tree(Supervisor(children, strategy=Strategy.ONE_FOR_ALL)) as started:
        await started.wait()
        await family.tell("b", 1.0)  # b sleeps over its message
        family.boxes["b"].ref.tell_nowait("kept")
        await family.tell("a", ValueError("bug"))
        await trio.sleep(2)

        assert family.notes == ["+a", "+b", "-a", "-b", "+a", "+b", "b:kept"]


async def test_the_asker_of_the_question_in_hand_gets_actor_failed_at_once(autojump_clock: MockClock) -> None:
    bug = ValueError("bug")

    class Crashing:
        async def run(self, inbox: Inbox[Echo]) -> None:
            async for _ in inbox:
                raise bug

    mailbox: Mailbox[Echo] = Mailbox("crashing", 8)
    spec = ChildSpec(name="crashing", start=Crashing, mailbox=mailbox)

    async with open_tree(Supervisor([spec])) as started:
        await started.wait()
        with pytest.raises(ActorFailed) as failure:
            await mailbox.ref.ask(Echo("?"))

    assert failure.value.__cause__ is bug


async def test_a_question_asked_while_the_actor_is_down_is_answered_by_its_next_life(autojump_clock: MockClock) -> None:
    family = Recorder()

    async with open_tree(Supervisor([family.spec("a")], budget=PLENTY)) as started:
        await started.wait()
        for _ in range(5):
            await family.tell("a", ValueError("bug"))
        assert await family.boxes["a"].ref.ask(Echo("still there?")) == "still there?"


async def test_the_first_restart_is_immediate_and_the_next_ones_are_delayed(autojump_clock: MockClock) -> None:
    births: list[float] = []

    class Doomed:
        async def run(self, inbox: Inbox[Any]) -> None:
            births.append(trio.current_time())
            raise ValueError("bug")

    spec = ChildSpec(name="doomed", start=Doomed, mailbox=Mailbox("doomed", 1))
    async with open_tree(Supervisor([spec], budget=PLENTY)):
        await trio.sleep(10)

    waits = [round(after - before, 6) for before, after in pairwise(births)]
    assert waits[:8] == [0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2]


async def test_the_backoff_begins_anew_after_a_life_as_long_as_the_period(autojump_clock: MockClock) -> None:
    family = Recorder()

    async with open_tree(Supervisor([family.spec("a")], budget=PLENTY)) as started:
        await started.wait()
        for _ in range(4):
            await family.tell("a", ValueError("bug"))
            await trio.sleep(5.5)
        before = trio.current_time()
        await family.tell("a", ValueError("bug"))

        assert await family.boxes["a"].ref.ask(Echo("back")) == "back"
        assert trio.current_time() == before


async def test_a_spent_budget_stops_the_others_in_reverse_and_ends_the_tree_with_the_cause(
    autojump_clock: MockClock,
) -> None:
    family = Recorder()
    supervisor = Supervisor([family.spec(name) for name in "abc"], budget=Budget(limit=1, period=5))
    bug = ValueError("the second bug")

    with pytest.raises(BudgetSpent, match="b crashed: over 1 restarts in 5 s") as spent:  # noqa: PT012  # it is the block that raises
        async with open_tree(supervisor) as started:
            await started.wait()
            await family.tell("b", ValueError("the first bug"))
            await family.tell("b", bug)
            await trio.sleep_forever()

    assert spent.value.__cause__ is bug
    assert family.notes == ["+a", "+b", "+c", "-b", "+b", "-b", "-c", "-a"]


async def test_escalation_lets_the_parent_restart_the_subtree_with_its_mail(autojump_clock: MockClock) -> None:
    family = Recorder()

    def below() -> Supervisor:
        return Supervisor([family.spec("a"), family.spec("b")], budget=Budget(limit=0, period=5))

    subtree = ChildSpec(name="below", start=below, mailbox=Mailbox("below", 8), grace=10)
    async with open_tree(Supervisor([subtree])) as started:
        await started.wait()
        await family.tell("b", 1.0)
        family.boxes["b"].ref.tell_nowait("kept")
        await family.tell("a", ValueError("bug"))
        await trio.sleep(2)

        assert family.notes == ["+a", "+b", "-a", "-b", "+a", "+b", "b:kept"]


async def test_stopping_for_good_delivers_what_waits_before_it_ends(autojump_clock: MockClock) -> None:
    family = Recorder()

    async with open_tree(Supervisor([family.spec("a")])) as started:
        await started.wait()
        for message in (1.0, "first", "second"):
            family.boxes["a"].ref.tell_nowait(message)

    assert family.notes == ["+a", "a:first", "a:second", "-a"]


async def test_an_actor_that_does_not_end_within_its_grace_is_cancelled(autojump_clock: MockClock) -> None:
    family = Recorder()

    async with open_tree(Supervisor([family.spec("a", grace=3.0)])) as started:
        await started.wait()
        await family.tell("a", 1000)
        before = trio.current_time()

    assert trio.current_time() - before == pytest.approx(3.0)
    assert family.notes == ["+a", "-a"]


async def test_a_question_left_when_the_grace_is_over_is_told_so(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    family = Recorder()
    heard: list[type[Exception]] = []

    async def ask() -> None:
        try:
            await family.boxes["a"].ref.ask(Echo("?"))
        except errors.Unavailable as error:
            heard.append(type(error))

    async with open_tree(Supervisor([family.spec("a", grace=3.0)])) as started:
        await started.wait()
        await family.tell("a", 1000)
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
    await wait_all_tasks_blocked()

    assert heard == [MailboxClosed]


async def test_a_permanent_child_that_ends_by_itself_is_started_again(autojump_clock: MockClock) -> None:
    family = Recorder()

    async with open_tree(Supervisor([family.spec("a")])) as started:
        await started.wait()
        await family.tell("a", "end")
        assert family.notes == ["+a", "-a", "+a"]


async def test_a_transient_child_is_started_again_after_a_crash_only(autojump_clock: MockClock) -> None:
    family = Recorder()
    supervisor = Supervisor([family.spec("a", restart=Restart.TRANSIENT)])

    async with open_tree(supervisor) as started:
        await started.wait()
        await family.tell("a", ValueError("bug"))
        await family.tell("a", "end")

        assert family.notes == ["+a", "-a", "+a", "-a"]
        assert [status.state for status in supervisor.statuses()] == [State.ENDED]


async def test_a_temporary_child_is_never_started_again_and_spends_no_budget(autojump_clock: MockClock) -> None:
    family = Recorder()
    supervisor = Supervisor(
        [family.spec("a", restart=Restart.TEMPORARY), family.spec("b")], budget=Budget(limit=0, period=5)
    )

    async with open_tree(supervisor) as started:
        await started.wait()
        await family.tell("a", ValueError("bug"))

        assert family.notes == ["+a", "+b", "-a"]
        with pytest.raises(MailboxClosed):
            family.boxes["a"].ref.tell_nowait("anybody?")


async def test_a_temporary_child_that_falls_with_its_siblings_stays_away(autojump_clock: MockClock) -> None:
    family = Recorder()
    children = [family.spec("a"), family.spec("b", restart=Restart.TEMPORARY)]

    async with open_tree(Supervisor(children, strategy=Strategy.ONE_FOR_ALL)) as started:
        await started.wait()
        await family.tell("a", ValueError("bug"))
        assert family.notes == ["+a", "+b", "-a", "-b", "+a"]


async def test_children_are_started_and_stopped_while_the_tree_runs(autojump_clock: MockClock) -> None:
    family = Recorder()
    box: Mailbox[Any] = Mailbox("timers", 8)
    timers = ChildSpec(name="timers", start=lambda: Supervisor([]), mailbox=box, grace=10)

    async with open_tree(Supervisor([timers])) as started:
        await started.wait()
        await box.ref.ask(StartChild(family.spec("daily")))
        await box.ref.ask(StartChild(family.spec("hourly")))
        await box.ref.ask(StopChild("daily"))
        assert family.notes == ["+daily", "+hourly", "-daily"]

    assert family.notes == ["+daily", "+hourly", "-daily", "-hourly"]


async def test_a_name_is_taken_until_its_child_is_stopped(autojump_clock: MockClock) -> None:
    family = Recorder()
    box: Mailbox[Any] = Mailbox("timers", 8)
    timers = ChildSpec(name="timers", start=lambda: Supervisor([]), mailbox=box, grace=10)

    async with open_tree(Supervisor([timers])) as started:
        await started.wait()
        await box.ref.ask(StartChild(family.spec("daily")))
        with pytest.raises(errors.Conflict):
            await box.ref.ask(StartChild(family.spec("daily")))
        await box.ref.ask(StopChild("daily"))
        family.boxes.clear()
        await box.ref.ask(StartChild(family.spec("daily")))

        with pytest.raises(errors.NotFound):
            await box.ref.ask(StopChild("weekly"))


async def test_a_dynamic_child_that_dies_before_its_first_read_is_reported(autojump_clock: MockClock) -> None:
    async def fail() -> None:
        raise ValueError("bug")

    family = Recorder()
    box: Mailbox[Any] = Mailbox("timers", 8)
    timers = ChildSpec(name="timers", start=lambda: Supervisor([]), mailbox=box, grace=10)

    async with open_tree(Supervisor([timers])) as started:
        await started.wait()
        with pytest.raises(errors.Unavailable, match="daily ended before it had started"):
            await box.ref.ask(StartChild(family.spec("daily", before_reading=fail, restart=Restart.TEMPORARY)))


async def test_a_dynamic_child_that_hangs_at_its_start_holds_nobody_up(autojump_clock: MockClock) -> None:
    family = Recorder()
    box: Mailbox[Any] = Mailbox("timers", 8)
    timers = ChildSpec(name="timers", start=lambda: Supervisor([]), mailbox=box, grace=10)

    async with open_tree(Supervisor([timers])) as started:
        await started.wait()
        with trio.move_on_after(1):
            await box.ref.ask(StartChild(family.spec("slow", before_reading=trio.sleep_forever)))
        await box.ref.ask(StartChild(family.spec("daily")))

        assert family.notes == ["+slow", "+daily"]


async def test_a_child_that_was_stopped_is_not_brought_back_by_the_crash_of_a_sibling(
    autojump_clock: MockClock,
) -> None:
    family = Recorder()
    box: Mailbox[Any] = Mailbox("group", 8)
    group = ChildSpec(
        name="group",
        start=lambda: Supervisor([family.spec("a"), family.spec("b")], strategy=Strategy.ONE_FOR_ALL),
        mailbox=box,
        grace=10,
    )

    async with open_tree(Supervisor([group])) as started, trio.open_nursery() as nursery:
        await started.wait()
        await family.tell("b", 1.0)  # b takes a second to notice that it shall end
        nursery.start_soon(box.ref.ask, StopChild("b"))
        await wait_all_tasks_blocked()
        await family.tell("a", ValueError("bug"))
        await trio.sleep(3)

        assert family.notes == ["+a", "+b", "-a", "-b", "+a"]


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


async def test_a_crash_at_the_start_is_retried_while_the_next_sibling_waits(autojump_clock: MockClock) -> None:
    attempts: list[float] = []

    async def fail_twice() -> None:
        attempts.append(trio.current_time())
        if len(attempts) < 3:
            raise ValueError("not yet")

    family = Recorder()
    children = [family.spec("a", before_reading=fail_twice), family.spec("b")]

    async with open_tree(Supervisor(children, strategy=Strategy.REST_FOR_ONE)) as started:
        await started.wait()

    assert family.notes[:6] == ["+a", "-a", "+a", "-a", "+a", "+b"]


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
