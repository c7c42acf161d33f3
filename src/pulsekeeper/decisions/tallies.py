"""Counters with a campaign's name in them, of which there can only be so many, and which cost next to nothing.

A decision counts once for every campaign of the book, so this is the hottest counting there is: two look-ups in plain
dicts. They become metrics when somebody asks for them.
"""

from collections import Counter
from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

MOST_CAMPAIGNS = 200
OTHER = "other"
"""What all campaigns are called that come after the first 200 of this process; one that is really called so, too."""


class CampaignTally(Collector):
    """How often what happened with which campaign."""

    def __init__(self, name: str, documentation: str, outcome: str | None = None) -> None:
        """`outcome` is the name of the second label, if there is one; the first one is `campaign`."""
        self._name = name
        self._documentation = documentation
        self._labels = ["campaign"] if outcome is None else ["campaign", outcome]
        self._counts: dict[str, Counter[str]] = {}

    def add(self, campaign_id: str, outcome: str = "") -> None:
        """It happened once more. The outcomes are a fixed few; the caller sees to that."""
        counts = self._counts.get(campaign_id)
        if counts is None:
            counts = self._open(campaign_id)
        counts[outcome] += 1

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
