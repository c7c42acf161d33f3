"""All children of one supervisor: their order and names, who may start, who falls with whom. Nothing waits here."""

from collections.abc import Iterator, Sequence
from typing import Any

import trio

from pulsekeeper.actors.child import Child, ChildSpec, State, Status
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.actors.question import Question
from pulsekeeper.actors.restarts import Strategy


class Family:
    """Children in start order: those that the supervisor was made with, then the dynamic ones by age."""

    def __init__(self, specs: Sequence[ChildSpec], strategy: Strategy) -> None:
        self._children = [Child(spec) for spec in specs]
        self._strategy = strategy

    def __iter__(self) -> Iterator[Child]:
        return iter(tuple(self._children))

    @property
    def is_up(self) -> bool:
        """Whether each of them has started, or is gone for good."""
        return not any(child.state in {State.WAITING, State.STARTING} for child in self._children)

    def statuses(self) -> Sequence[Status]:
        """A snapshot of each, with what is below it."""
        now = trio.current_time()
        return [child.status(now) for child in self._children]

    def mailboxes(self) -> set[Mailbox[Any]]:
        """The addresses of all of them, and of all that is below, or was."""
        return {mailbox for child in self._children for mailbox in child.mailboxes()}

    def named(self, name: str) -> Child | None:
        """The child of that name; one that has ended and is not dynamic keeps its name."""
        return next((child for child in self._children if child.spec.name == name), None)

    def fallen_with(self, crashed: Child) -> Sequence[Child]:
        """Who is restarted together with a child that crashed, itself included."""
        return self._children[self._strategy.group(self._children.index(crashed))]

    def due(self, now: float) -> Iterator[Child]:
        """Who may start at the Trio time `now`. To be started one by one: whoever is starting holds up the next."""
        held_up = False
        for child in self:
            if child.spec.mailbox.closed and child.life is None:
                child.retire()  # stopped for good while its siblings fell, or before its supervisor was started again
            if child.may_start(now) and (child.dynamic or not held_up):
                yield child
            held_up = held_up or child.state is State.STARTING

    def admit(self, spec: ChildSpec, request: Question[None]) -> None:
        """Take in a dynamic child, to be started."""
        self._children.append(Child(spec, request=request))

    def expect_again(self, group: Sequence[Child], when: float) -> None:
        """They have fallen together: those that come back do so at the Trio time `when`, or later in start order."""
        for child in group:
            if child.comes_back:
                child.not_before = max(child.not_before, when)  # its own backoff may be the longer one
            else:
                self.remove(child)

    def remove(self, child: Child, cause: Exception | None = None) -> None:
        """It has ended and is not to be started again."""
        child.retire(cause)
        if child.dynamic:
            self.forget(child)

    def forget(self, child: Child) -> None:
        """Free its name."""
        if child in self._children:
            self._children.remove(child)
