from prometheus_client import CollectorRegistry, generate_latest

from pulsekeeper.decisions.tallies import MOST_CAMPAIGNS, CampaignTally


def exposed(tally: CampaignTally) -> list[str]:
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
