"""What has become of the events."""

import threading
from collections import Counter
from collections.abc import Mapping

from pulsekeeper.client.model import Stats
from pulsekeeper.client.outcomes import Outcome


class Tally:
    """Counts, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # an event may be told of by a signal handler that interrupts another
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
