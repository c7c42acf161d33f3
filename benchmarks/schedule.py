"""When requests are due that come at a constant rate, and how late their loader is."""

from collections import deque

_GRACE = 5.0
"""Seconds after the last request is due in which answers are waited for."""
_MOST_WAITING = 1.0
"""Seconds' worth of requests that may wait for a connection."""


class Arrivals:
    """A schedule that nothing puts off: request number n is due n / `rate` seconds after the beginning."""

    def __init__(self, rate: float, seconds: float) -> None:
        self.rate = rate
        """Requests a second."""
        self.count = max(int(rate * seconds), 1)
        """How many requests there are in all."""
        self.waiting: deque[float] = deque()
        """The moments at which those were due that nobody has sent yet."""
        self.dropped = 0
        """Requests that found too many waiting."""
        self.lateness: list[float] = []
        """For each request, how long after it was due the loader noticed: its own fault, not the server's."""
        self._room = max(int(rate * _MOST_WAITING), 1)
        self._start = 0.0

    def begin(self, now: float) -> None:
        """The first request is due now."""
        self._start = now

    @property
    def over(self) -> bool:
        """Whether all requests have been sent or dropped."""
        return len(self.lateness) == self.count and not self.waiting

    @property
    def end(self) -> float:
        """The moment at which nobody waits for answers any more."""
        return self._start + self.count / self.rate + _GRACE

    def notice(self, now: float) -> None:
        """Let all that is due by now wait for a connection, or drop it."""
        while (number := len(self.lateness)) < self.count and (due := self._due(number)) <= now:
            self.lateness.append(now - due)
            if len(self.waiting) < self._room:
                self.waiting.append(due)
            else:
                self.dropped += 1

    def next_in(self, now: float) -> float:
        """Seconds until the next request is due; endless when none is left."""
        number = len(self.lateness)
        return max(self._due(number) - now, 0.0) if number < self.count else float("inf")

    def _due(self, number: int) -> float:
        return self._start + number / self.rate
