"""What this room counts for the operators."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram

from pulsekeeper.decisions.records import Impression
from pulsekeeper.decisions.rules.deciding import Outcome
from pulsekeeper.decisions.tallies import CampaignTally, FindingsTally

_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.04, 0.08, 0.16, 0.5, 2.0)
"""A commit takes a millisecond or two; at 80 ms pages stop waiting for it."""


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
        self._commit = Histogram(
            "pulsekeeper_decisions_commit_seconds",
            "How long the statement took that writes a batch, its commit included.",
            buckets=_SECONDS,
            registry=registry,
        )
        people = Counter(
            "pulsekeeper_decisions_people",
            "People whose states were needed for a batch, by where they were found: in memory or in the database.",
            ["source"],
            registry=registry,
        )
        self._remembered, self._read = people.labels("memory"), people.labels("database")
        self._impressions = CampaignTally(
            "pulsekeeper_decisions_impressions", "What became of campaigns: offers, and what pages reported.", "event"
        )
        self._findings = FindingsTally(
            CampaignTally(
                "pulsekeeper_decisions_verdicts",
                "Committed decisions by campaign: shown, or the code of the rule that refused it.",
                "outcome",
            ),
            CampaignTally(
                "pulsekeeper_decisions_expression_failures",
                "Evaluations of a campaign's expression that failed, and so refused it.",
            ),
        )
        registry.register(self._impressions)
        registry.register(self._findings)

    def degraded(self, cause: str) -> None:
        """A page was told to show nothing."""
        self._degraded.labels(cause).inc()

    def committed(self, decided: int, saved: int) -> None:
        """A batch of `decided` went to the database and `saved` of it were written."""
        self._batch.observe(decided)
        self._committed.inc(saved)
        self._repeated.inc(decided - saved)

    def commit_took(self, seconds: float) -> None:
        """A batch was written, or was found to be overtaken."""
        self._commit.observe(seconds)

    def recalled(self, remembered: int, read: int) -> None:
        """The states for a batch were at hand, or had to be read."""
        self._remembered.inc(remembered)
        self._read.inc(read)

    def decided(self, outcome: Outcome) -> None:
        """A decision was committed."""
        self._findings.add(outcome.findings)

    def impressed(self, impressions: Iterable[Impression]) -> None:
        """Offers and reports were committed."""
        for impression in impressions:
            self._impressions.add(impression.campaign_id, impression.event)
