"""What has become of the events, and what the log is told: each change of state once."""

import logging
import threading
from collections import Counter
from collections.abc import Mapping

from pulsekeeper.client.course import Course
from pulsekeeper.client.model import Stats
from pulsekeeper.client.outcomes import Outcome

_log = logging.getLogger("pulsekeeper.client")


class Tally:
    """Counts, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def sent(self, events: int) -> None:
        """They are on their way."""
        with self._lock:
            self._counts["sent"] += events

    def rejected(self, reason: str) -> None:
        """One that is not fit to be sent."""
        self._add("rejected", {reason: 1})

    def dropped(self, events: int, reason: str) -> None:
        """They are given up."""
        self._add("dropped", {reason: events})

    def settled(self, outcome: Outcome) -> None:
        """A call's answer."""
        with self._lock:
            self._counts["acknowledged"] += outcome.acknowledged
            self._counts["duplicates"] += outcome.duplicates
        self._add("rejected", outcome.rejected)
        self._add("dropped", outcome.dropped)

    def stats(self, queued: int) -> Stats:
        """Everything so far."""
        with self._lock:
            return Stats(queued=queued, reasons=dict(self._reasons), **self._counts)

    def _add(self, kind: str, by_reason: Mapping[str, int]) -> None:
        with self._lock:
            for reason, events in by_reason.items():
                if events:
                    self._counts[kind] += events
                    self._reasons[reason] += events


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
