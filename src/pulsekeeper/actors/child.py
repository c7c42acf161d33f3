"""What a supervisor knows of one child: its specification, its present life, its status."""

from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol, TypeVar

import msgspec
import trio

from pulsekeeper.actors.inbox import Inbox, Stop
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.actors.restarts import Restart

M = TypeVar("M")


class Actor(Protocol[M]):
    """What an author writes."""

    async def run(self, inbox: Inbox[M]) -> None:
        """Live until the inbox ends. Outages are handled in here; what is raised is a bug and ends this life."""
        ...


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
    """To be started when its elders are up, or when its backoff is over."""
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
    depth: int
    peak: int
    capacity: int
    busy_since: float | None
    """In the terms of `trio.current_time()`."""
    stuck: bool
    """Busy with one message for longer than its allowance."""
    children: tuple["Status", ...] = ()


class Life:
    """One run of an actor, from a fresh object to its end."""

    def __init__(self, spec: ChildSpec, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._name = spec.name
        self._scope = trio.CancelScope()
        self.inbox: Inbox[Any] = Inbox(spec.mailbox, self._mark_started)
        self.actor = spec.start()
        self.began = trio.current_time()
        self.started = False
        self.settled = trio.Event()
        """Set when the actor has started, or has ended without."""
        self.ended = trio.Event()
        self.error: Exception | None = None

    async def run(self) -> None:
        """Run the actor to its end. Its error is kept, not raised; only what is no `Exception` escapes."""
        try:
            with self._scope:
                await self.actor.run(self.inbox)
        except Exception as error:  # whatever it is, the supervisor decides what becomes of it
            self.error = error
        finally:
            self.inbox.close(self.error)
            self.ended.set()
            self.settled.set()
            self._on_change()

    async def stop(self, stop: Stop, grace: float) -> None:
        """Ask the actor to end, give it `grace` seconds, then cancel it. Returns when it is gone."""
        self.inbox.end(stop)
        with trio.move_on_after(grace):
            await self.ended.wait()
        self._scope.cancel()
        await self.ended.wait()

    def _mark_started(self) -> None:
        self.started = True
        self.settled.set()
        self._on_change()


class Child:
    """A place in the tree: a specification, and the life that fills it at present, if any."""

    def __init__(self, spec: ChildSpec, *, dynamic: bool) -> None:
        self.spec = spec
        self.dynamic = dynamic
        self.state = State.WAITING
        self.life: Life | None = None
        self.leaving = False
        """Asked to stop for good; a restart of its siblings must not bring it back."""
        self.restarts = 0
        self.streak = 0
        """Restarts since it last lived for a while: what its backoff grows with."""
        self.not_before = 0.0

    def begin(self, on_change: Callable[[], None]) -> Life:
        """Start a new life; the caller runs it."""
        self.life = Life(self.spec, on_change)
        self.state = State.STARTING
        return self.life

    def retire(self) -> None:
        """It is not to be started again: whoever still waits in its mailbox is told."""
        self.life = None
        self.state = State.ENDED
        self.spec.mailbox.discard()

    def status(self, now: float) -> Status:
        """A snapshot at the Trio time `now`."""
        mail = self.spec.mailbox.statistics()
        busy_since = self.life.inbox.busy_since if self.life is not None else None
        below = getattr(self.life.actor, "statuses", tuple) if self.life is not None else tuple
        return Status(
            name=self.spec.name,
            state=self.state,
            restarts=self.restarts,
            depth=mail.depth,
            peak=mail.peak,
            capacity=mail.capacity,
            busy_since=busy_since,
            stuck=busy_since is not None and now - busy_since > self.spec.allowance,
            children=tuple(below()),
        )
