import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from pulsekeeper.decisions import tallies
from pulsekeeper.decisions.rules.conditions import EXPRESSION_FAILED
from pulsekeeper.decisions.rules.findings import Findings
from pulsekeeper.decisions.tallies import MOST_CAMPAIGNS, CampaignTally, FindingsTally


def exposed(tally: Collector) -> list[str]:
    registry = CollectorRegistry()
    registry.register(tally)
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_every_campaign_is_counted_by_outcome() -> None:
    tally = CampaignTally("verdicts", "What became of them.", "outcome")
    for outcome in ("shown", "rollout", "shown"):
        tally.add("hello", outcome)

    assert exposed(tally) == [
        'verdicts_total{campaign="hello",outcome="shown"} 2.0',
        'verdicts_total{campaign="hello",outcome="rollout"} 1.0',
    ]


def test_without_an_outcome_there_is_the_campaign_alone() -> None:
    tally = CampaignTally("failures", "What failed.")
    tally.add("hello")

    assert exposed(tally) == ['failures_total{campaign="hello"} 1.0']


def test_there_are_only_so_many_series_and_nothing_is_lost() -> None:
    tally = CampaignTally("verdicts", "What became of them.", "outcome")
    for number in range(3 * MOST_CAMPAIGNS):
        tally.add(f"campaign-{number}", "shown")
        tally.add("campaign-0", "shown")

    lines = exposed(tally)
    assert len(lines) == MOST_CAMPAIGNS + 1
    assert f'verdicts_total{{campaign="other",outcome="shown"}} {2.0 * MOST_CAMPAIGNS}' in lines
    assert sum(float(line.rpartition(" ")[2]) for line in lines) == 6 * MOST_CAMPAIGNS


def decisions() -> FindingsTally:
    return FindingsTally(
        CampaignTally("verdicts", "What became of them.", "outcome"), CampaignTally("failures", "What failed.")
    )


def test_findings_are_unfolded_into_their_campaigns() -> None:
    tally = decisions()
    both, neither = Findings(["a", "b"], [("first_visit", "x"), EXPRESSION_FAILED]), Findings(["a", "b"], ["over"] * 2)
    for findings in (both, neither, both):
        tally.add(findings)

    expected = [
        'verdicts_total{campaign="a",outcome="shown"} 2.0',
        'verdicts_total{campaign="a",outcome="over"} 1.0',
        'verdicts_total{campaign="b",outcome="expression"} 2.0',
        'verdicts_total{campaign="b",outcome="over"} 1.0',
        'failures_total{campaign="b"} 2.0',
    ]
    assert exposed(tally) == exposed(tally) == expected


def test_findings_wait_only_up_to_a_bound_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "MOST_FOLDED", 10)
    tally = decisions()
    for _ in range(33):
        tally.add(Findings(["a", "b"], ["over", "over"]))
        assert len(tally._folded) * 2 <= 10

    assert 'verdicts_total{campaign="b",outcome="over"} 33.0' in exposed(tally)
