"""Starts children in order, restarts them by its strategy within its budget, stops them in reverse.

The rules are Erlang/OTP's, with three differences. A child counts as started at its first read of its inbox, so it can
load what it needs before, in plain code. A crash before that is an ordinary crash: restarted with backoff, counted
against the budget, while those that depend on it wait. And restarts of a series are delayed.

Inside, the supervisor is one loop that looks at all children whenever anything has happened to one of them. Nothing
that happens is an event to be lost: each pass compares what is with what should be.
"""

from collections.abc import Sequence
from typing import Any

import trio

from pulsekeeper import errors
from pulsekeeper.actors.child import Child, ChildSpec, Status
from pulsekeeper.actors.family import Family
from pulsekeeper.actors.inbox import Inbox, Stop
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.actors.question import Question
from pulsekeeper.actors.restarts import Backoff, Budget, RestartLog, Strategy


class StartChild(Question[None]):
    """Start one more child. Answered when it has started.

    `Conflict` if the name is taken or the mailbox closed; `Unavailable`, with its crash as the cause, if it ended
    before it had started: then it is gone, whatever its rule of restart. Such a child waits for nobody at its start,
    is the youngest for the strategy, and is gone when the supervisor itself is restarted.
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
        self._budget = budget
        self._backoff = backoff
        self._restarts = RestartLog(budget)
        self._children = Family(children, strategy)
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
            if not self._is_over():
                self._nursery.start_soon(self._obey, inbox)
            await self._supervise()
            self._nursery.cancel_scope.cancel()
        if self._spent is not None:
            raise self._spent

    def statuses(self) -> Sequence[Status]:
        """A snapshot of the children, in start order, each with what is below it."""
        return self._children.statuses()

    def mailboxes(self) -> set[Mailbox[Any]]:
        """The addresses of all that is below, or was."""
        return self._children.mailboxes()

    # --- the loop

    async def _bring_up(self) -> None:
        while not self._is_over() and not self._children.is_up:
            await self._look_after_children()

    async def _supervise(self) -> None:
        while not self._is_over():
            await self._look_after_children()
        await self._stop_children(tuple(self._children), self._stop or Stop.FOR_NOW)
        for child in self._children:
            if child.dynamic:
                child.retire()

    def _is_over(self) -> bool:
        return self._stop is not None or self._spent is not None

    async def _look_after_children(self) -> None:
        await self._news.wait()
        self._news = trio.Event()
        for child in self._children:
            if child.died and not self._is_over():
                await self._look_after(child)
        if not self._is_over():
            self._start_what_may_start()

    def _start_what_may_start(self) -> None:
        for child in self._children.due(trio.current_time()):
            self._nursery.start_soon(child.begin(self._notice).run, name=child.spec.name)

    def _notice(self) -> None:
        self._news.set()

    # --- ends

    async def _look_after(self, dead: Child) -> None:
        life = dead.bury()
        if dead.request is not None or not dead.comes_back:
            self._children.remove(dead, life.error)
        elif self._restarts.allows(trio.current_time()):
            dead.streak = 0 if trio.current_time() - life.began >= self._budget.period else dead.streak
            await self._restart(dead)
        else:
            self._give_up(dead, life.error)

    async def _restart(self, crashed: Child) -> None:
        delay = self._backoff.delay(crashed.streak)
        crashed.streak += 1
        group = self._children.fallen_with(crashed)
        await self._stop_children(group, Stop.FOR_NOW)
        self._children.expect_again(group, trio.current_time() + delay)
        self._poke_after(delay)

    def _give_up(self, child: Child, error: Exception | None) -> None:
        limit, period = self._budget.limit, self._budget.period
        self._spent = BudgetSpent(f"{child.spec.name} crashed: over {limit} restarts in {period:g} s")
        self._spent.__cause__ = error

    async def _stop_children(self, children: Sequence[Child], stop: Stop) -> None:
        for child in reversed(children):
            if child.life is not None:
                await child.life.stop(stop, child.spec.grace)
            if child.life is not None:  # nobody else waited for the same end
                child.bury()
            if stop is Stop.FOR_GOOD:
                child.retire()

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
                self._admit(message)
            else:
                self._nursery.start_soon(self._dismiss, message)

    def _admit(self, question: StartChild) -> None:
        spec = question.spec
        if self._is_over():
            question.fail(errors.Unavailable("the supervisor is stopping"))
        elif self._children.named(spec.name) is not None:
            question.fail(errors.Conflict(f"there is a child named {spec.name} already"))
        elif spec.mailbox.closed:
            question.fail(errors.Conflict(f"the mailbox of {spec.name} is closed: who comes back needs a new one"))
        else:
            self._children.admit(spec, question)
            self._notice()

    async def _dismiss(self, question: StopChild) -> None:
        child = self._children.named(question.name)
        if child is None:
            question.fail(errors.NotFound(f"there is no child named {question.name}"))
            return
        await self._stop_children([child], Stop.FOR_GOOD)
        self._children.forget(child)
        question.reply(None)
