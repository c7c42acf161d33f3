"""Whole trees under crashes, stops, starts and questions in any order, held against what is true of all trees."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import msgspec
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from pulsekeeper import errors
from pulsekeeper.actors.child import ChildSpec, State, Status
from pulsekeeper.actors.inbox import Inbox
from pulsekeeper.actors.mailbox import Mailbox, MailboxClosed, MailboxFull
from pulsekeeper.actors.question import Question
from pulsekeeper.actors.restarts import Budget, Restart, Strategy
from pulsekeeper.actors.supervisor import BudgetSpent, StartChild, StopChild, Supervisor
from pulsekeeper.actors.tree import open_tree
from tests.actors.recorder import branch

PATIENCE = 1000.0
"""Seconds of a clock that jumps: whoever is not answered by then is never answered."""
STATIC = ("a", "c", "d", "b")
DYNAMIC = ("x", "y")
SIBLINGS = ("a", "b"), ("c", "d", *DYNAMIC)

TOLD = ("crash", "end", "work", "be deaf", "ask", "ask to crash", "ask in vain", "pass on", "spoil")


class Step(NamedTuple):
    """One thing that happens to the actor `name`, and how many seconds pass before the next."""

    deed: str
    name: str
    seconds: float


class Plan(NamedTuple):
    """A tree, what happens in it, and how it is left."""

    root: Strategy
    below: Strategy
    limit: int
    rules: dict[str, Restart]
    steps: list[Step]
    cancelled: bool


class Ask(Question[str]):
    deed: str


class Tell(msgspec.Struct):
    deed: str


class Bug(Exception):
    pass


class World:
    """All actors, and what is known of them."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.boxes: dict[str, Mailbox[Any]] = {}
        self.alive: set[str] = set()
        self.spoilt: Counter[str] = Counter()
        """How often the actor will crash before it reads."""
        self.dismissed: set[str] = set()
        self.cancelled = False

    def spec(self, name: str, box: Mailbox[Any] | None = None) -> ChildSpec:
        box = box or self.boxes.setdefault(name, Mailbox(name, 3))
        rule = self.plan.rules.get(name, Restart.PERMANENT)
        return ChildSpec(name=name, start=partial(Worker, self, name), mailbox=box, restart=rule, grace=2.0)

    def root(self) -> Supervisor:
        children = [self.spec("a"), branch("below", self.below), self.spec("b")]
        self.boxes["below"] = children[1].mailbox
        return Supervisor(children, strategy=self.plan.root, budget=Budget(self.plan.limit, 5.0))

    def below(self) -> Supervisor:
        children = [self.spec("c"), self.spec("d")]
        return Supervisor(children, strategy=self.plan.below, budget=Budget(self.plan.limit, 5.0))

    def born(self, name: str) -> None:
        assert name not in self.alive, f"{name} lives twice"
        self.alive.add(name)

    def died(self, name: str, *, asked: bool) -> None:
        self.alive.remove(name)
        if asked and not self.cancelled and name not in self.dismissed:
            level = next(level for level in SIBLINGS if name in level)
            younger = {other for other in level[level.index(name) + 1 :] if name not in DYNAMIC}
            assert not younger & self.alive, f"{name} was stopped before {younger & self.alive}"

    def check(self, statuses: Sequence[Status]) -> None:
        """What is shown is so: to be called when all tasks wait for something."""
        for status in statuses:
            assert 0 <= status.depth <= status.peak <= status.capacity
            if status.name == "below":
                self.check(status.children)
            else:
                is_shown = status.state in {State.STARTING, State.RUNNING, State.STOPPING}
                assert is_shown == (status.name in self.alive), status


class Worker:
    """Does as it is told, and tells the world when it lives and why it died."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name
        if world.spoilt[name] > 1:
            world.spoilt[name] -= 2
            raise Bug

    async def run(self, inbox: Inbox[Any]) -> None:
        self._world.born(self._name)
        asked = True
        try:
            await self._load()
            async for message in inbox:
                if await self._do(message) == "end":
                    asked = False
                    return
        except Bug:
            asked = False
            raise
        finally:
            self._world.died(self._name, asked=asked)

    async def _load(self) -> None:
        if self._world.spoilt[self._name]:
            self._world.spoilt[self._name] -= 1
            await trio.sleep(0.5)
            raise Bug

    async def _do(self, message: Ask | Tell) -> str:
        match message.deed:
            case "crash" | "ask to crash":
                raise Bug
            case "work":
                await trio.sleep(1.5)
            case "be deaf":
                with trio.CancelScope(shield=True):
                    await trio.sleep(3)
        if isinstance(message, Ask):
            await self._answer(message)
        return message.deed

    async def _answer(self, question: Ask) -> None:
        if question.deed == "pass on" and self._name == "a":
            try:
                self._world.boxes["c"].ref.tell_nowait(question)
            except errors.PulsekeeperError as refusal:
                question.fail(refusal)
        elif question.deed != "ask in vain":
            await trio.lowlevel.checkpoint()
            question.reply(self._name)


async def ask(world: World, name: str, question: Question[Any]) -> bool:
    """Every question ends, in one of the ways that are promised."""
    try:
        with trio.fail_after(PATIENCE):
            await world.boxes[name].ref.ask(question)
    except (MailboxFull, errors.Unavailable, errors.Conflict, errors.NotFound):
        return False
    return True


async def start(world: World, name: str) -> None:
    box: Mailbox[Any] = Mailbox(name, 3)
    if await ask(world, "below", StartChild(world.spec(name, box))):
        world.boxes[name] = box
        world.dismissed.discard(name)


async def take(world: World, step: Step, nursery: trio.Nursery) -> None:
    match step.deed:
        case "start":
            nursery.start_soon(start, world, step.name)
        case "stop":
            world.dismissed.add(step.name)
            nursery.start_soon(ask, world, "below", StopChild(step.name))
        case _ if step.name not in world.boxes:
            pass  # it was never there
        case "spoil":
            world.spoilt[step.name] += 1
        case "ask" | "ask to crash" | "ask in vain" | "pass on":
            nursery.start_soon(ask, world, step.name, Ask(step.deed))
        case _:
            with suppress(MailboxFull, MailboxClosed):
                world.boxes[step.name].ref.tell_nowait(Tell(step.deed))
    await trio.sleep(step.seconds)
    await wait_all_tasks_blocked()


async def live_through(plan: Plan) -> None:
    world = World(plan)
    root = world.root()
    async with trio.open_nursery() as asking:
        with trio.CancelScope() as surroundings, suppress(BudgetSpent):
            async with open_tree(root) as started:
                await started.wait()
                for step in plan.steps:
                    await take(world, step, asking)
                    world.check(root.statuses())
                if plan.cancelled:
                    world.cancelled = True
                    surroundings.cancel()
        assert world.alive == set()
        assert all(box.closed for box in world.boxes.values())


STEPS = st.one_of(
    st.builds(
        Step,
        st.sampled_from(TOLD),
        st.sampled_from(STATIC + DYNAMIC),
        st.sampled_from([0.0, 0.0, 0.01, 1.0, 2.5]),
    ),
    st.builds(Step, st.just("start"), st.sampled_from(DYNAMIC), st.sampled_from([0.0, 1.0])),
    st.builds(Step, st.just("stop"), st.sampled_from(("c", "d", *DYNAMIC)), st.sampled_from([0.0, 1.0])),
)
PLANS = st.builds(
    Plan,
    root=st.sampled_from(Strategy),
    below=st.sampled_from(Strategy),
    limit=st.sampled_from([0, 1, 3, 100]),
    rules=st.dictionaries(st.sampled_from(STATIC + DYNAMIC), st.sampled_from(Restart), max_size=3),
    steps=st.lists(STEPS, max_size=30),
    cancelled=st.booleans(),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(PLANS)
def test_whatever_happens_every_question_ends_and_nobody_outlives_the_tree(plan: Plan) -> None:
    """No actor lives twice, none is stopped before its younger siblings, and what is shown of them is so."""
    trio.run(live_through, plan, clock=MockClock(autojump_threshold=0))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    gaps=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 0.5, 2.0, 4.0])), max_size=12),
    limit=st.integers(0, 3),
)
def test_a_supervisor_gives_up_exactly_when_its_children_die_more_often_than_its_budget_allows(
    gaps: list[tuple[str, float]], limit: int
) -> None:
    deaths: list[float] = []

    class Mortal:
        async def run(self, inbox: Inbox[None]) -> None:
            await inbox.get()
            deaths.append(trio.current_time())
            raise Bug

    async def live() -> None:
        boxes = {name: Mailbox[None](name, 20) for name in "abc"}
        children = [ChildSpec(name=name, start=Mortal, mailbox=box) for name, box in boxes.items()]
        async with open_tree(Supervisor(children, budget=Budget(limit, 5.0))) as started:
            await started.wait()
            for name, gap in gaps:
                await boxes[name].ref.tell(None)
                await trio.sleep(gap)
            await trio.sleep(100)
            assert len(deaths) == len(gaps)

    gave_up = False
    try:
        trio.run(live, clock=MockClock(autojump_threshold=0))
    except BudgetSpent:
        gave_up = True

    too_many = [len([time for time in deaths if death - 5.0 <= time <= death]) > limit for death in deaths]
    assert gave_up == any(too_many)
