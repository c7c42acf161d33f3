"""What this room counts for the operators."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram

from pulsekeeper.sessions.model import Reason
from pulsekeeper.sessions.records import Heard, Speech, Standing, Swept

_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""A still-alive takes a millisecond or two, a batch with fifty thousand events most of a second."""


class Numbers:
    """The room's metrics, in the registry of this process.

    What is counted for every call is looked up among the labels once: that takes longer than counting.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter(
            "pulsekeeper_sessions_events",
            "Events that came, by what became of them: accepted, duplicate, or the reason why they were refused.",
            ["verdict"],
            registry=registry,
        )
        self._accepted, self._duplicates = self._events.labels("accepted"), self._events.labels("duplicate")
        self._started = Counter("pulsekeeper_sessions_started", "Sessions started.", registry=registry)
        self._ended = Counter(
            "pulsekeeper_sessions_ended",
            "Sessions that this node has ended: explicit by their clients, the others by the reaper.",
            ["reason"],
            registry=registry,
        )
        self._batch = Histogram(
            "pulsekeeper_sessions_batch_size",
            "Calls that shared one commit.",
            ["kind"],
            buckets=_BATCH_SIZES,
            registry=registry,
        )
        self._commit = Histogram(
            "pulsekeeper_sessions_commit_seconds",
            "How long a batch took to be written, its commit included.",
            ["kind"],
            buckets=_SECONDS,
            registry=registry,
        )

    def heard(self, speeches: Sequence[Speech], all_heard: Sequence[Heard]) -> None:
        """Sessions were heard of, and their events were stored, or had been before, or were not taken any more."""
        accepted = duplicates = ends = 0
        for speech, heard in zip(speeches, all_heard, strict=True):
            is_alive = heard.standing is Standing.ALIVE
            accepted += heard.stored
            if is_alive or heard.standing is Standing.ENDED:
                duplicates += len(speech.events) - heard.stored
            ends += is_alive and speech.ends
        self._accepted.inc(accepted)
        self._duplicates.inc(duplicates)
        if ends:
            self._ended.labels("explicit").inc(ends)

    def refused(self, reasons: Iterable[Reason]) -> None:
        """Events were refused, each for a reason."""
        for reason in reasons:
            self._events.labels(reason.value).inc()

    def started(self, sessions: int) -> None:
        """Sessions were started."""
        self._started.inc(sessions)

    def reaped(self, swept: Swept) -> None:
        """The reaper has swept."""
        self._ended.labels("timeout").inc(swept.ended - swept.overlong)
        self._ended.labels("max_length").inc(swept.overlong)

    def committed(self, kind: str, calls: int, seconds: float) -> None:
        """A batch of `calls` of one kind was written in so many `seconds`."""
        self._batch.labels(kind).observe(calls)
        self._commit.labels(kind).observe(seconds)
