"""Counters with a campaign's name in them, of which there can only be so many, and which cost next to nothing.

They become metrics when somebody asks for them. A decision has a finding for every campaign of the book, so counting
each would be the hottest counting there is: what is counted is whole findings, which are few, and unfolded then.
"""

from collections import Counter
from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from pulsekeeper.decisions.rules.findings import Findings

MOST_CAMPAIGNS = 200
OTHER = "other"
"""What all campaigns are called that come after the first 200 of this process; one that is really called so, too."""
MOST_FOLDED = 100_000
"""Findings of single campaigns that wait to be unfolded."""


class CampaignTally(Collector):
    """How often what happened with which campaign."""

    def __init__(self, name: str, documentation: str, outcome: str | None = None) -> None:
        """`outcome` is the name of the second label, if there is one; the first one is `campaign`."""
        self._name = name
        self._documentation = documentation
        self._labels = ["campaign"] if outcome is None else ["campaign", outcome]
        self._counts: dict[str, Counter[str]] = {}

    def add(self, campaign_id: str, outcome: str = "", times: int = 1) -> None:
        """It happened again. The outcomes are a fixed few; the caller sees to that."""
        counts = self._counts.get(campaign_id)
        if counts is None:
            counts = self._open(campaign_id)
        counts[outcome] += times

    def describe(self) -> Iterable[Metric]:
        """Its name, so that no other metric takes it."""
        return (self._family(),)

    def collect(self) -> Iterable[Metric]:
        """All counts so far."""
        family = self._family()
        for campaign_id, counts in self._counts.items():
            for outcome, count in counts.items():
                family.add_metric([campaign_id, outcome][: len(self._labels)], count)
        return (family,)

    def _open(self, campaign_id: str) -> Counter[str]:
        return self._counts.setdefault(campaign_id if len(self._counts) < MOST_CAMPAIGNS else OTHER, Counter())

    def _family(self) -> CounterMetricFamily:
        return CounterMetricFamily(self._name, self._documentation, labels=self._labels)


class FindingsTally(Collector):
    """What decisions came to: each campaign with its verdicts, and the failures of its expression."""

    def __init__(self, verdicts: CampaignTally, failures: CampaignTally) -> None:
        self._verdicts = verdicts
        self._failures = failures
        self._folded: Counter[Findings] = Counter()

    def add(self, findings: Findings) -> None:
        """One more decision came to this."""
        self._folded[findings] += 1
        if len(self._folded) * len(findings.found) > MOST_FOLDED:
            self._unfold()

    def describe(self) -> Iterable[Metric]:
        """The names of both."""
        return (*self._verdicts.describe(), *self._failures.describe())

    def collect(self) -> Iterable[Metric]:
        """All counts so far."""
        self._unfold()
        return (*self._verdicts.collect(), *self._failures.collect())

    def _unfold(self) -> None:
        folded, self._folded = self._folded, Counter()
        for findings, times in folded.items():
            for verdict in findings.verdicts:
                shown = verdict.verdict == "shown"
                self._verdicts.add(verdict.campaign_id, "shown" if shown else verdict.reason, times)
            for campaign_id in findings.failures:
                self._failures.add(campaign_id, times=times)
