"""How the worker is woken from any thread, and from a signal handler as well."""

from contextlib import suppress
from queue import Empty, SimpleQueue


class Bell:
    """Like `threading.Event`, whose `set` hangs when it is called by a signal handler that interrupts it."""

    def __init__(self) -> None:
        self._rings: SimpleQueue[None] = SimpleQueue()

    def ring(self) -> None:
        """End the wait, or the next one."""
        if self._rings.empty():
            self._rings.put(None)

    def silence(self) -> None:
        """Forget what has rung until now."""
        with suppress(Empty):
            while True:
                self._rings.get_nowait()

    def wait(self, seconds: float | None) -> None:
        """Returns when it has rung, or after so many seconds; `None` is never."""
        with suppress(Empty):
            self._rings.get(timeout=seconds)
