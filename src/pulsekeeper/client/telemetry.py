"""The client for programs of any kind: one daemon thread does all the work."""

import atexit
import threading
from contextlib import ExitStack
from math import isinf
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pulsekeeper.client.bell import Bell
from pulsekeeper.client.facade import SLACK, Facade, quietly
from pulsekeeper.client.model import Pause

if TYPE_CHECKING:
    from pulsekeeper.client.transport import Sender


class Telemetry(Facade):
    """Anonymous telemetry for one running program.

        with Telemetry("https://pulse.example.org", folder="~/.myapp/telemetry", consent=True) as telemetry:
            telemetry.event("story_opened", story="Button")

    It never raises, never blocks and never prints; what it has to say goes to the logger `pulsekeeper.client`. Any
    thread may use it. After a fork the child has to make its own. Without `with`, call `start` and `end`; a program
    that ends without `end` gets it by `atexit`.
    """

    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    @quietly
    def start(self) -> None:
        """Begin a session, in the background. A client is started once."""
        if self._thread is not None:
            return
        self._bell = Bell()
        self._agent.wake = self._bell.ring
        self._agent.begin(consent=self._consent)
        self._thread = threading.Thread(target=self._work, name="pulsekeeper-telemetry", daemon=True)
        self._thread.start()
        atexit.register(self.end)

    @quietly
    def end(self) -> None:
        """Send what waits and end the session, within `patience`. What is not sent by then waits for the next run."""
        if self._thread is None:
            return
        atexit.unregister(self.end)
        self._agent.finish()
        self._thread.join(self._patience + SLACK)

    def _work(self) -> None:
        try:
            self._work_until_over()
        except Exception:  # a mistake of ours is no trouble of the program
            self.failed()
        finally:
            self._agent.close()

    def _work_until_over(self) -> None:
        with ExitStack() as stack:
            sender: Sender | None = None
            while True:
                self._bell.silence()
                step = self._agent.next()
                if step is None:
                    return
                if isinstance(step, Pause):
                    self._bell.wait(None if isinf(step.seconds) else step.seconds)
                else:
                    sender = sender or _open_sender(stack)
                    self._agent.take(step, sender.send(step))


def _open_sender(stack: ExitStack) -> "Sender":
    from pulsekeeper.client.transport import http_sender  # noqa: PLC0415  # slow to import: here, it is in the thread

    return stack.enter_context(http_sender())
