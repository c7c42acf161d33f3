"""How long a connection goes on waiting for its client."""

from math import inf

import trio

_NAP = 0.01
"""Seconds that the watcher sleeps at least, so that a server which allows no idleness at all does not spin."""


class ClientWait:
    """The scope in which a connection reads, and when that is to end.

    Moving the deadline of a scope costs more than parsing a request, and idleness begins anew after each of them. So
    its end is only noted, and a task of the connection's, `watch`, sleeps until then and looks whether it has moved.
    """

    def __init__(self, idle: float) -> None:
        """`idle` is how many seconds may pass between requests."""
        self._idle = idle
        self._idle_until = inf
        self._is_timed = False
        self._scope = trio.CancelScope()
        self._watching = trio.CancelScope()

    def begin(self) -> trio.CancelScope:
        """A new scope to read in, without any end so far. The one before must have been left."""
        self.pause()
        self._scope = trio.CancelScope()
        return self._scope

    def pause(self) -> None:
        """Nothing is waited for."""
        self._idle_until = inf
        if self._is_timed:
            self._scope.deadline = inf
            self._is_timed = False

    def allow_idleness(self) -> None:
        """A whole new request may come, or none."""
        self.pause()
        self._idle_until = trio.current_time() + self._idle

    def allow_until(self, due: float) -> None:
        """Something must have come by then, in Trio's time."""
        self.pause()
        self._scope.deadline = due
        self._is_timed = True

    def cancel(self) -> None:
        """End it now."""
        self._scope.cancel()

    @property
    def is_over(self) -> bool:
        """Whether it was ended, whatever by. What arrives in that very moment is not to be begun in it any more."""
        return self._scope.cancel_called

    @property
    def is_late(self) -> bool:
        """Whether it was ended because nothing came in time."""
        return self.is_over and trio.current_time() >= min(self._idle_until, self._scope.deadline)

    async def watch(self) -> None:
        """End it when the connection has been idle for too long. Runs beside the reader, until `unwatch`.

        It never sleeps longer than idleness may last, so it is awake in time for all that begins meanwhile.
        """
        with self._watching:
            while True:
                now, due = trio.current_time(), self._idle_until
                if due <= now:
                    self.cancel()
                    due = inf
                await trio.sleep_until(max(min(due, now + self._idle), now + _NAP))

    def unwatch(self) -> None:
        """Nobody reads any more."""
        self._watching.cancel()
