"""What the log is told: each change of state once."""

import logging

from pulsekeeper.client.course import Course

_log = logging.getLogger("pulsekeeper.client")


class Reporter:
    """Says how things stand when that has changed, not each time that it is asked."""

    def __init__(self) -> None:
        self._state = ""

    def state(self, text: str, level: int = logging.DEBUG) -> None:
        """How things stand now."""
        if text != self._state:
            _log.log(level, "%s", text)
        self._state = text

    def course(self, course: Course) -> None:
        """How a call has left things."""
        if course.forbidden is not None:
            self.state(f"nothing is sent any more: {course.forbidden}", logging.WARNING)
        elif course.failures:
            self.state("the service does not take what is sent at the moment; it is tried again now and then")
        elif course.session is not None:
            self.state("a session is open")
        else:
            self.state("no session is open")
