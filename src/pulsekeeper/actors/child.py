"""What a supervisor knows of one child: its specification, its present life, its status."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Protocol, runtime_checkable

import msgspec
import structlog

from pulsekeeper import errors
from pulsekeeper.actors.life import Actor, Life
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.actors.question import Question
from pulsekeeper.actors.restarts import Restart

_log = structlog.get_logger(__name__)


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How to keep one actor alive."""

    name: str
    start: Callable[[], Actor[Any]]
    """Makes a fresh actor for each life: no state survives a crash."""
    mailbox: Mailbox[Any]
    """Belongs to the address and outlives its readers. Closed when the child is gone for good; a child that comes back
    under the same name needs a new one."""
    restart: Restart = Restart.PERMANENT
    grace: float = 5.0
    """Seconds to end by itself before it is cancelled; `math.inf` for supervisors, whose children have their own."""
    allowance: float = 30.0
    """Seconds that one message may take before the actor counts as stuck. Nobody is shot: killing hides the bug."""


class State(Enum):
    """Where a child stands."""

    WAITING = "waiting"
    """To be started when its elders are up, or when its backoff is over and those that fall with it are gone."""
    STARTING = "starting"
    """Alive, but has not read its inbox yet."""
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"
    """Gone, and not to be started again."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot of one child and what is below it."""

    name: str
    state: State
    restarts: int
    """How often it was started again, with its siblings or for itself."""
    depth: int
    peak: int
    capacity: int
    busy_since: float | None
    """In the terms of `trio.current_time()`."""
    stuck: bool
    """Busy with one message for longer than its allowance."""
    children: tuple["Status", ...] = ()


@runtime_checkable
class Branch(Protocol):
    """An actor with children of its own: a supervisor."""

    def statuses(self) -> Sequence[Status]:
        """A snapshot of the children, each with what is below it."""
        ...

    def mailboxes(self) -> set[Mailbox[Any]]:
        """The addresses of all that is below, or was."""
        ...


class Child:
    """A place in the tree: a specification, and the life that fills it at present, if any."""

    def __init__(self, spec: ChildSpec, *, request: Question[None] | None = None) -> None:
        self.spec = spec
        self.dynamic = request is not None
        self.request = request
        """Who asked for it, until it has started for the first time."""
        self.life: Life | None = None
        self.comes_back = True
        """Whether its last end is to be followed by another start."""
        self.streak = 0
        """Restarts since it last lived for a while: what its backoff grows with."""
        self.not_before = 0.0
        self._lives = 0
        self._retired = False
        self._below: set[Mailbox[Any]] = set()

    @property
    def state(self) -> State:
        """Where it stands."""
        if self._retired:
            return State.ENDED
        if self.life is None or self.life.ended.is_set():
            return State.WAITING
        if self.life.inbox.stop is not None:
            return State.STOPPING
        return State.RUNNING if self.life.started else State.STARTING

    @property
    def died(self) -> bool:
        """Whether it has ended without being asked to, and nobody has looked after it yet."""
        return self.life is not None and self.life.ended.is_set() and self.life.inbox.stop is None

    def may_start(self, now: float) -> bool:
        """Whether nothing of its own keeps it from being started at the Trio time `now`."""
        return self.life is None and not self._retired and now >= self.not_before

    def begin(self, on_change: Callable[[], None]) -> Life:
        """Start a new life; the caller runs it."""

        def on_started() -> None:
            if self.request is not None:
                self.request.reply(None)
                self.request = None
            on_change()

        self._lives += 1
        self.life = Life(self.spec.start, self.spec.mailbox, on_started=on_started, on_ended=on_change)
        return self.life

    def bury(self) -> Life:
        """Its life is over. What was asked to end comes back like what crashed: it had no say in it."""
        life, self._below = self.life, {mailbox for mailbox in self.mailboxes() if not mailbox.closed}
        assert life is not None  # noqa: S101  # it has just ended
        self.life = None
        self.comes_back = self.spec.restart.applies(crashed=life.error is not None or life.inbox.stop is not None)
        if life.error is not None:
            _log.error("actor_crashed", actor=self.spec.name, exc_info=life.error)
        return life

    def retire(self, cause: Exception | None = None) -> None:
        """It is not to be started again, nor is what was below it: whoever still waits in a mailbox there is told."""
        for mailbox in self.mailboxes():
            mailbox.discard()
        self.life, self._retired = None, True
        if self.request is not None and not self.request.answered:
            failure = errors.Unavailable(f"{self.spec.name} ended before it had started")
            failure.__cause__ = cause
            self.request.fail(failure)

    def mailboxes(self) -> set[Mailbox[Any]]:
        """Its own address, and those of all that is below it, or was: a new life may have died before it knew them."""
        actor = self.life.actor if self.life is not None else None
        below = actor.mailboxes() if isinstance(actor, Branch) else self._below
        return {self.spec.mailbox} | self._below | below

    def status(self, now: float) -> Status:
        """A snapshot at the Trio time `now`."""
        mail = self.spec.mailbox.statistics()
        actor = self.life.actor if self.life is not None else None
        busy_since = self.life.inbox.busy_since if self.life is not None else None
        return Status(
            name=self.spec.name,
            state=self.state,
            restarts=max(0, self._lives - 1),
            depth=mail.depth,
            peak=mail.peak,
            capacity=mail.capacity,
            busy_since=busy_since,
            stuck=busy_since is not None and now - busy_since > self.spec.allowance,
            children=tuple(actor.statuses()) if isinstance(actor, Branch) else (),
        )
