"""What this room counts for the operators."""

from prometheus_client import CollectorRegistry, Counter, Histogram

_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Numbers:
    """The room's metrics, in the registry of this process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._degraded = Counter(
            "pulsekeeper_decisions_degraded",
            "Pages that were told to show nothing because no decision could be committed in time.",
            ["cause"],
            registry=registry,
        )
        self._committed = Counter("pulsekeeper_decisions_committed", "Decisions committed.", registry=registry)
        self._repeated = Counter(
            "pulsekeeper_decisions_repeated",
            "Decisions made again because another node, or a change of the rules, was faster.",
            registry=registry,
        )
        self._batch = Histogram(
            "pulsekeeper_decisions_batch_size", "Decisions in one commit.", buckets=_BATCH_SIZES, registry=registry
        )

    def degraded(self, cause: str) -> None:
        """A page was told to show nothing."""
        self._degraded.labels(cause).inc()

    def committed(self, decided: int, saved: int) -> None:
        """A batch of `decided` went to the database and `saved` of it were written."""
        self._batch.observe(decided)
        self._committed.inc(saved)
        self._repeated.inc(decided - saved)
