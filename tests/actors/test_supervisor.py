"""Each rule of supervision, with real actors on a clock that jumps."""

from itertools import pairwise
from typing import Any, NoReturn

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock, wait_all_tasks_blocked

from pulsekeeper.actors.child import ChildSpec, State
from pulsekeeper.actors.inbox import Inbox
from pulsekeeper.actors.mailbox import Mailbox, MailboxClosed
from pulsekeeper.actors.question import ActorFailed
from pulsekeeper.actors.restarts import Budget, Restart, Strategy
from pulsekeeper.actors.supervisor import BudgetSpent, Supervisor
from pulsekeeper.actors.tree import open_tree
from tests.actors.recorder import PLENTY, Deaf, Echo, Recorder, ask_and_note, branch, crashing


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
    answers: list[str] = []

    async with open_tree(Supervisor([family.spec("a", grace=3.0)])) as started:
        await started.wait()
        await family.tell("a", 1000)
        nursery.start_soon(ask_and_note, family.boxes["a"].ref, answers)
        await wait_all_tasks_blocked()
    await wait_all_tasks_blocked()

    assert answers == ["MailboxClosed"]


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


async def test_a_factory_that_raises_is_an_ordinary_crash(autojump_clock: MockClock) -> None:
    """It took the whole supervisor along, without the order of stopping."""
    family = Recorder()
    attempts: list[float] = []

    def broken() -> NoReturn:
        attempts.append(trio.current_time())
        raise ValueError("no configuration")

    children = [family.spec("a"), ChildSpec(name="b", start=broken, mailbox=Mailbox("b", 1))]

    with pytest.raises(BudgetSpent, match="b crashed"):
        async with open_tree(Supervisor(children)):
            await trio.sleep_forever()

    assert attempts == pytest.approx([0, 0, 0.05, 0.15])
    assert family.notes == ["+a", "-a"]


async def test_a_group_of_errors_is_an_ordinary_crash(autojump_clock: MockClock) -> None:
    family = Recorder()

    async with open_tree(Supervisor([family.spec("a")])) as started:
        await started.wait()
        await family.tell("a", ExceptionGroup("from a nursery", [ValueError("bug"), KeyError("another")]))

        assert await family.boxes["a"].ref.ask(Echo("back")) == "back"


async def test_what_is_no_error_ends_the_tree(autojump_clock: MockClock) -> None:
    class Interrupted:
        async def run(self, inbox: Inbox[Any]) -> None:
            await inbox.get()
            raise KeyboardInterrupt

    mailbox: Mailbox[Any] = Mailbox("interrupted", 1)
    spec = ChildSpec(name="interrupted", start=Interrupted, mailbox=mailbox)

    with pytest.RaisesGroup(KeyboardInterrupt, flatten_subgroups=True):
        async with open_tree(Supervisor([spec])):
            await mailbox.ref.tell("now")
            await trio.sleep_forever()


async def test_a_child_that_ends_late_is_waited_for(autojump_clock: MockClock) -> None:
    """Nobody lives on after its tree, whatever it does with its cancellation."""
    family = Recorder()

    async with open_tree(Supervisor([family.spec("a"), family.spec("b", grace=1.0)])) as started:
        await started.wait()
        await family.tell("b", Deaf(10.0))

    assert trio.current_time() == 10.0
    assert family.notes == ["+a", "+b", "-b", "-a"]


async def test_a_child_that_swallows_its_cancellation_is_cancelled_wherever_it_waits_next(
    autojump_clock: MockClock,
) -> None:
    waits: list[float] = []

    class Swallowing:
        async def run(self, inbox: Inbox[Any]) -> None:
            for _ in range(3):
                try:
                    await trio.sleep_forever()
                except trio.Cancelled:  # what a careless `except BaseException` does
                    waits.append(trio.current_time())

    spec = ChildSpec(name="a", start=Swallowing, mailbox=Mailbox("a", 1), grace=1.0)
    async with open_tree(Supervisor([spec])):
        await wait_all_tasks_blocked()

    assert waits == [1.0, 1.0, 1.0]


async def test_a_supervisor_that_fails_at_its_start_does_not_count_as_started(autojump_clock: MockClock) -> None:
    """It told its parent that all was up while it gave up, and the parent started the next child."""
    family = Recorder()
    below = branch("below", lambda: Supervisor([family.spec("a", before_reading=crashing(100))]))
    root = Supervisor([below, family.spec("b")], strategy=Strategy.REST_FOR_ONE)

    with pytest.raises(BudgetSpent):  # it is the block that raises
        async with open_tree(root) as started:
            await started.wait()

    assert not started.is_set()
    assert "+b" not in family.notes


async def test_a_supervisor_stopped_at_its_start_does_not_count_as_started(autojump_clock: MockClock) -> None:
    family = Recorder()

    async with open_tree(Supervisor([family.spec("a", before_reading=trio.sleep_forever)])) as started:
        await wait_all_tasks_blocked()

    assert not started.is_set()
    assert trio.current_time() == 5.0


async def test_stopping_in_the_middle_of_a_group_restart_starts_nobody_again(autojump_clock: MockClock) -> None:
    family = Recorder()
    children = [family.spec(name) for name in "abc"]

    async with open_tree(Supervisor(children, strategy=Strategy.REST_FOR_ONE)) as started:
        await started.wait()
        await family.tell("c", 2.0)
        await family.tell("b", ValueError("bug"))  # now the supervisor waits for c

    assert family.notes == ["+a", "+b", "+c", "-b", "-c", "-a"]


async def test_stopping_during_a_backoff_is_immediate_and_tells_whoever_waits(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    family = Recorder()
    answers: list[str] = []

    async with open_tree(Supervisor([family.spec("a", before_reading=crashing(100))], budget=PLENTY)):
        await trio.sleep(10)
        nursery.start_soon(ask_and_note, family.boxes["a"].ref, answers)
        await wait_all_tasks_blocked()
        before = trio.current_time()
    await wait_all_tasks_blocked()

    assert trio.current_time() == before
    assert answers == ["MailboxClosed"]


async def test_whoever_waits_for_a_child_that_was_cancelled_need_not_wait_for_its_elders(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """What was left in its mailbox was answered only when the last of its elders had ended as well."""
    family = Recorder()
    heard_at: list[float] = []

    async def ask() -> None:
        with pytest.raises(MailboxClosed):
            await family.boxes["b"].ref.ask(Echo("?"))
        heard_at.append(trio.current_time())

    async with open_tree(Supervisor([family.spec("a"), family.spec("b", grace=1.0)])) as started:
        await started.wait()
        await family.tell("b", 1000)
        await family.tell("a", 4.0)
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()

    assert heard_at == [1.0]


async def test_a_crash_while_it_is_being_stopped_is_logged(autojump_clock: MockClock) -> None:
    """A bug in what an actor does at its end went unseen."""
    family = Recorder()

    with capture_logs() as logs:
        async with open_tree(Supervisor([family.spec("a")])) as started:
            await started.wait()
            await family.tell("a", 1.0)
            await family.tell("a", ValueError("bug"))

    assert [(entry["event"], entry["actor"]) for entry in logs] == [("actor_crashed", "a")]


async def test_a_child_whose_work_is_done_is_not_brought_back_by_a_crash_at_the_same_moment(
    autojump_clock: MockClock,
) -> None:
    """A transient child that had ended by itself was started again with the siblings of the one that crashed."""
    family = Recorder()
    children = [family.spec("a"), family.spec("b", restart=Restart.TRANSIENT), family.spec("c")]
    supervisor = Supervisor(children, strategy=Strategy.REST_FOR_ONE)

    async with open_tree(supervisor) as started:
        await started.wait()
        await family.tell("c", 2.0)
        await family.tell("a", ValueError("bug"))  # now the supervisor waits for c
        await family.tell("b", "end")
        await trio.sleep(3)

        assert family.notes == ["+a", "+b", "+c", "-a", "-b", "-c", "+a", "+c"]


async def test_a_transient_child_that_falls_with_its_siblings_comes_back(autojump_clock: MockClock) -> None:
    family = Recorder()
    children = [family.spec("a"), family.spec("b", restart=Restart.TRANSIENT)]

    async with open_tree(Supervisor(children, strategy=Strategy.ONE_FOR_ALL)) as started:
        await started.wait()
        await family.tell("a", ValueError("bug"))
        assert family.notes == ["+a", "+b", "-a", "-b", "+a", "+b"]


async def test_whoever_crashes_after_the_budget_is_spent_is_not_to_blame(autojump_clock: MockClock) -> None:
    family = Recorder()
    children = [family.spec(name) for name in "abcd"]
    supervisor = Supervisor(children, strategy=Strategy.REST_FOR_ONE, budget=Budget(limit=1, period=5.0))

    with pytest.raises(BudgetSpent, match="a crashed"):  # noqa: PT012  # it is the block that raises
        async with open_tree(supervisor) as started:
            await started.wait()
            await family.tell("d", 1.0)
            await family.tell("c", ValueError("bug"))  # now the supervisor waits for d
            await family.tell("b", ValueError("bug"))
            await family.tell("a", ValueError("bug"))
            await trio.sleep_forever()


async def test_a_temporary_child_that_has_never_lived_is_started_when_its_elder_is_up(
    autojump_clock: MockClock,
) -> None:
    """A crash of its elder at the very first start counted as its one life."""
    family = Recorder()
    children = [family.spec("a", before_reading=crashing(1)), family.spec("b", restart=Restart.TEMPORARY)]

    async with open_tree(Supervisor(children, strategy=Strategy.REST_FOR_ONE)) as started:
        await started.wait()
        assert family.notes == ["+a", "-a", "+a", "+b"]


async def test_the_restart_of_an_elder_does_not_shorten_the_backoff_of_a_younger(autojump_clock: MockClock) -> None:
    family = Recorder()
    children = [family.spec("a"), family.spec("b", before_reading=crashing(8))]

    async with open_tree(Supervisor(children, strategy=Strategy.REST_FOR_ONE, budget=PLENTY)):
        await trio.sleep(4)  # b waits since 3.15 for 6.35
        lives = family.notes.count("+b")
        await family.tell("a", ValueError("bug"))
        await trio.sleep(2)

        assert family.notes.count("+b") == lives


async def test_under_one_for_one_nobody_waits_for_the_backoff_of_another(autojump_clock: MockClock) -> None:
    family = Recorder()
    children = [family.spec("a", before_reading=crashing(2)), family.spec("b")]

    async with open_tree(Supervisor(children)) as started:
        await started.wait()

    assert family.notes.index("+b") < len(family.notes) - 1 - family.notes[::-1].index("+a")


async def test_the_mail_of_a_branch_that_is_gone_for_good_is_answered(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Its own mailbox was closed, those of its children were not: whoever had asked one of them waited for ever."""
    family = Recorder()
    answers: list[str] = []

    def make() -> Supervisor:
        return Supervisor([family.spec("a"), family.spec("b")], budget=Budget(limit=0, period=5.0))

    async with open_tree(Supervisor([branch("below", make, restart=Restart.TEMPORARY)])) as started:
        await started.wait()
        await family.tell("b", 1.0)
        nursery.start_soon(ask_and_note, family.boxes["b"].ref, answers)
        await family.tell("a", ValueError("bug"))
        await trio.sleep(2)

        assert answers == ["MailboxClosed"]


async def test_the_mail_of_a_branch_that_failed_at_its_restart_is_not_forgotten(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """The new life of the branch had not got so far as to know who had been below it."""
    family, is_broken = Recorder(), [False]
    answers: list[str] = []

    def make() -> Supervisor:
        if is_broken[0]:
            raise ValueError("no configuration")
        return Supervisor([family.spec("a"), family.spec("b")], budget=Budget(limit=0, period=5.0))

    async with open_tree(Supervisor([branch("below", make)], budget=PLENTY)) as started:
        await started.wait()
        is_broken[0] = True
        await family.tell("a", ValueError("bug"))
        await trio.sleep(1)
        nursery.start_soon(ask_and_note, family.boxes["b"].ref, answers)
        await wait_all_tasks_blocked()
    await wait_all_tasks_blocked()

    assert answers == ["MailboxClosed"]
