"""One run of an actor, from a fresh object to its end."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import trio

from pulsekeeper.actors.inbox import Inbox, Stop
from pulsekeeper.actors.mailbox import Mailbox

M = TypeVar("M")


class Actor(Protocol[M]):
    """What an author writes."""

    async def run(self, inbox: Inbox[M]) -> None:
        """Live until the inbox ends. Outages are handled in here; what is raised is a bug and ends this life."""
        ...


class Life:
    """Made by the supervisor, which runs it in a task of its own and stops it from another."""

    def __init__(
        self,
        start: Callable[[], Actor[Any]],
        mailbox: Mailbox[Any],
        *,
        on_started: Callable[[], None],
        on_ended: Callable[[], None],
    ) -> None:
        self._start = start
        self._on_started = on_started
        self._on_ended = on_ended
        self._scope = trio.CancelScope()
        self.inbox: Inbox[Any] = Inbox(mailbox, self._mark_started)
        self.actor: Actor[Any] | None = None
        """Made when the life begins to run."""
        self.began = trio.current_time()
        self.started = False
        self.ended = trio.Event()
        self.error: Exception | None = None

    async def run(self) -> None:
        """Run the actor to its end. Its error is kept, not raised; only what is no `Exception` escapes."""
        try:
            with self._scope:
                self.actor = self._start()
                await self.actor.run(self.inbox)
        except Exception as error:  # whatever it is, the supervisor decides what becomes of it
            self.error = error
        finally:
            self.inbox.close(self.error)
            self.ended.set()
            self._on_ended()

    async def stop(self, stop: Stop, grace: float) -> None:
        """Ask the actor to end, give it `grace` seconds, then cancel it. Returns when it is gone."""
        if self.ended.is_set():
            return
        self.inbox.end(stop)
        with trio.move_on_after(grace):
            await self.ended.wait()
        self._scope.cancel()
        await self.ended.wait()

    def _mark_started(self) -> None:
        self.started = True
        self._on_started()
