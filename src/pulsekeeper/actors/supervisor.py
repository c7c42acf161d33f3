"""Starts children in order, restarts them by its strategy within its budget, stops them in reverse.

The rules are Erlang/OTP's, with three differences. A child counts as started at its first read of its inbox, so it can
load what it needs before, in plain code. A crash before that is an ordinary crash: restarted with backoff, counted
against the budget, while the children after it wait. And restarts of a series are delayed.

Inside, the supervisor is one loop that looks at all children whenever anything has happened to one of them. Nothing
that happens is an event to be lost: each pass compares what is with what should be.
"""

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import Enum

import structlog
import trio

from pulsekeeper import errors
from pulsekeeper.actors.child import Child, ChildSpec, Life, State, Status
from pulsekeeper.actors.inbox import Inbox, Stop
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.actors.question import Question
from pulsekeeper.actors.restarts import Backoff, Budget, RestartLog

_log = structlog.get_logger(__name__)


class Strategy(Enum):
    """Who is restarted together with a child that crashed."""

    ONE_FOR_ONE = "one_for_one"
    """Nobody: the children do not depend on each other."""
    REST_FOR_ONE = "rest_for_one"
    """Those started after it: they may depend on it."""
    ONE_FOR_ALL = "one_for_all"
    """All of them: they depend on each other."""


class StartChild(Question[None]):
    """Start one more child. Answered when it has started; `Conflict` if the name is taken, `Unavailable` if it died.

    Such children are independent of the order of the others, and are gone when the supervisor itself is restarted.
    """

    spec: ChildSpec


class StopChild(Question[None]):
    """Stop a child for good. Answered when it is gone; `NotFound` if there is none of that name."""

    name: str


class BudgetSpent(Exception):
    """A supervisor gives up: its children crash more often than its budget allows. `__cause__` is the last crash."""


class Supervisor:
    """Keeps `children` alive. An actor itself: it counts as started when all of them are."""

    def __init__(
        self,
        children: Sequence[ChildSpec],
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        budget: Budget = Budget(),  # noqa: B008  # frozen
        backoff: Backoff = Backoff(),  # noqa: B008  # frozen
    ) -> None:
        self._strategy = strategy
        self._budget = budget
        self._backoff = backoff
        self._restarts = RestartLog(budget)
        self._children = [Child(spec, dynamic=False) for spec in children]
        self._news = trio.Event()
        self._stop: Stop | None = None
        self._spent: BudgetSpent | None = None
        self._nursery: trio.Nursery

    async def run(self, inbox: Inbox[StartChild | StopChild]) -> None:
        """Supervise until the inbox ends; raises `BudgetSpent` when the budget is."""
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._await_end, inbox)
            self._notice()
            await self._bring_up()
            self._nursery.start_soon(self._obey, inbox)
            await self._supervise()
            self._nursery.cancel_scope.cancel()
        if self._spent is not None:
            raise self._spent

    def statuses(self) -> Sequence[Status]:
        """A snapshot of the children, in start order, each with what is below it."""
        now = trio.current_time()
        return [child.status(now) for child in self._children]

    # --- the loop

    async def _bring_up(self) -> None:
        while not self._is_over() and any(child.state in {State.WAITING, State.STARTING} for child in self._children):
            await self._look_after_children()

    async def _supervise(self) -> None:
        while not self._is_over():
            await self._look_after_children()
        stop = self._stop or Stop.FOR_NOW
        await self._stop_children(self._children, stop)
        for child in self._children:
            if child.dynamic or stop is Stop.FOR_GOOD:
                child.retire()

    def _is_over(self) -> bool:
        return self._stop is not None or self._spent is not None

    async def _look_after_children(self) -> None:
        await self._news.wait()
        self._news = trio.Event()
        for child in tuple(self._children):
            if self._is_freshly_dead(child) and not self._is_over():
                await self._bury(child)
        self._start_what_may_start()

    def _start_what_may_start(self) -> None:
        if self._is_over():
            return
        for child in self._children:
            if child.state is State.STARTING and child.life is not None and child.life.started:
                child.state = State.RUNNING
            elif child.state is State.WAITING and trio.current_time() >= child.not_before:
                self._launch(child)
            if self._holds_up_the_next(child):
                return

    def _holds_up_the_next(self, child: Child) -> bool:
        if child.dynamic:
            return False
        if child.state is State.WAITING:  # in backoff: under ONE_FOR_ONE the others do not depend on it
            return self._strategy is not Strategy.ONE_FOR_ONE
        return child.state is State.STARTING

    def _launch(self, child: Child) -> Life:
        life = child.begin(self._notice)
        self._nursery.start_soon(life.run, name=child.spec.name)
        return life

    def _notice(self) -> None:
        self._news.set()

    # --- ends

    def _is_freshly_dead(self, child: Child) -> bool:
        return child.state in {State.STARTING, State.RUNNING} and child.life is not None and child.life.ended.is_set()

    async def _bury(self, child: Child) -> None:
        assert child.life is not None  # noqa: S101  # it has just ended
        error, lived = child.life.error, trio.current_time() - child.life.began
        child.life = None
        if error is not None:
            _log.error("actor_crashed", actor=child.spec.name, exc_info=error)
        if not child.spec.restart.applies(crashed=error is not None):
            self._remove(child)
            return
        if not self._restarts.allows(trio.current_time()):
            self._give_up(child, error)
            return
        child.streak = 0 if lived >= self._budget.period else child.streak
        await self._restart(child)

    async def _restart(self, crashed: Child) -> None:
        delay = self._backoff.delay(crashed.streak)
        crashed.streak += 1
        crashed.restarts += 1
        group = self._group_of(crashed)
        await self._stop_children(group, Stop.FOR_NOW)
        for child in group:
            self._expect_again(child, trio.current_time() + delay)
        self._poke_after(delay)

    def _group_of(self, crashed: Child) -> list[Child]:
        """Who is restarted together with it, itself included."""
        if self._strategy is Strategy.ONE_FOR_ONE:
            return [crashed]
        if self._strategy is Strategy.ONE_FOR_ALL:
            return list(self._children)
        return self._children[self._children.index(crashed) :]

    def _expect_again(self, child: Child, when: float) -> None:
        if child.leaving or child.state is State.ENDED:
            return
        if child.spec.restart.applies(crashed=True):
            child.state, child.not_before = State.WAITING, when
        else:
            self._remove(child)

    def _give_up(self, child: Child, error: Exception | None) -> None:
        limit, period = self._budget.limit, self._budget.period
        self._spent = BudgetSpent(f"{child.spec.name} crashed: over {limit} restarts in {period:g} s")
        self._spent.__cause__ = error

    async def _stop_children(self, children: Sequence[Child], stop: Stop) -> None:
        for child in reversed(tuple(children)):
            if child.life is not None:
                child.state = State.STOPPING
                await child.life.stop(stop, child.spec.grace)
                child.life = None

    def _remove(self, child: Child) -> None:
        child.retire()
        if child.dynamic:
            self._children.remove(child)

    def _poke_after(self, delay: float) -> None:
        async def poke() -> None:
            await trio.sleep(delay)
            self._notice()

        self._nursery.start_soon(poke)

    # --- what it is told

    async def _await_end(self, inbox: Inbox[StartChild | StopChild]) -> None:
        self._stop = await inbox.wait_ending()
        self._notice()

    async def _obey(self, inbox: Inbox[StartChild | StopChild]) -> None:
        async for message in inbox:
            if isinstance(message, StartChild):
                self._nursery.start_soon(self._start_one, message)
            else:
                self._nursery.start_soon(self._stop_one, message)

    async def _start_one(self, question: StartChild) -> None:
        if self._stop is not None:
            question.fail(errors.Unavailable("the supervisor is stopping"))
            return
        if any(child.spec.name == question.spec.name for child in self._children):
            question.fail(errors.Conflict(f"there is a child named {question.spec.name} already"))
            return
        child = Child(question.spec, dynamic=True)
        self._children.append(child)
        life = self._launch(child)
        await life.settled.wait()
        if life.started:
            question.reply(None)
        else:
            question.fail(errors.Unavailable(f"{question.spec.name} ended before it had started"))

    async def _stop_one(self, question: StopChild) -> None:
        for child in self._children:
            if child.spec.name == question.name and not child.leaving:
                child.leaving = True
                await self._stop_children([child], Stop.FOR_GOOD)
                child.retire()
                self._children.remove(child)
                question.reply(None)
                return
        question.fail(errors.NotFound(f"there is no child named {question.name}"))


@asynccontextmanager
async def open_tree(root: Supervisor) -> AsyncIterator[trio.Event]:
    """Run `root` for as long as the block runs, and stop it for good, in order, when the block ends.

    The value is an event: everything has started. When the root's budget is spent, the block is cancelled and
    `BudgetSpent` is raised: there is no further supervisor but the one outside of the process.
    """
    started = trio.Event()
    life: Life

    def notice() -> None:
        if life.started:
            started.set()

    async def live(scope: trio.CancelScope) -> None:
        await life.run()
        if life.inbox.stop is None:  # nobody asked it to end: the block has lost its tree
            scope.cancel()

    life = Life(ChildSpec(name="root", start=lambda: root, mailbox=Mailbox("root", 16)), notice)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(live, nursery.cancel_scope)
        try:
            yield started
        finally:  # whoever cancels meanwhile has run out of patience: then all of it is cancelled at once
            await life.stop(Stop.FOR_GOOD, math.inf)
    if life.error is not None:
        raise life.error
