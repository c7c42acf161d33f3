"""What a loader counts in one round."""

from math import inf

from benchmarks.measuring import Numbers, Sample, percentile
from benchmarks.schedule import Arrivals
from benchmarks.wires import Response

_DEGRADED = b'"degraded":true'
_GOOD = range(200, 300)


class Tally:
    """Latencies, in seconds, and what became of the requests. A good answer has `expected` in it."""

    def __init__(self, expected: bytes) -> None:
        self._expected = expected
        self._latencies: list[float] = []
        self._asked = 0
        self._kept = 0
        self._degraded = 0
        self._errors = 0
        self._of_schedule: Numbers = {}

    def note_first(self, response: Response | None) -> None:
        """The answer that shows that a connection is accepted. It is none of the round's."""
        self._asked += 1
        self._kept += response is not None and self._is_good(response) and not response.has(_DEGRADED)

    def note(self, seconds: float, response: Response | None) -> None:
        """An answer after so many seconds; `None` when the connection ended instead."""
        self._latencies.append(inf if response is None else seconds)
        self._asked += 1
        if response is None or not self._is_good(response):
            self._errors += 1
        elif response.has(_DEGRADED):
            self._degraded += 1
        else:
            self._kept += 1

    def note_schedule(self, arrivals: Arrivals, *, unanswered: int) -> None:
        """How the schedule was kept. Who never got an answer has waited for ever."""
        self._latencies += [inf] * (unanswered + arrivals.dropped)
        late = sorted(arrivals.lateness)
        self._of_schedule = {
            "offered": arrivals.rate,
            "dropped": arrivals.dropped,
            "unanswered": unanswered,
            "late_p99": percentile(late, 99),
            "late_max": late[-1],
        }

    def sample(self, elapsed: float, loader: float) -> Sample:
        """The round in figures. `loader` is how much of a core it took."""
        calls = len(self._latencies)
        never = int(self._of_schedule.get("dropped", 0) + self._of_schedule.get("unanswered", 0))
        answered = calls - never
        return Sample(
            calls=answered,
            elapsed=elapsed,
            latencies=self._latencies,
            extra={
                "degraded": self._degraded / answered if answered else 0.0,
                "errors": self._errors,
                "loader": loader,
                "asked": self._asked,
                "kept": self._kept,
                **self._of_schedule,
            },
        )

    def _is_good(self, response: Response) -> bool:
        return response.status in _GOOD and response.has(self._expected)
