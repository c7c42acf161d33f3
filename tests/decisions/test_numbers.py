from prometheus_client import CollectorRegistry

from pulsekeeper.decisions.numbers import Numbers
from pulsekeeper.decisions.records import Impression
from tests.support.rules import ask, book_of, campaign


def test_a_decision_is_counted_for_every_campaign_with_its_outcome() -> None:
    """The reasons why something is shown are many; that it is shown is one outcome."""
    registry = CollectorRegistry()
    numbers = Numbers(registry)

    numbers.decided(
        ask(
            book_of(
                campaign("hello", priority=1),
                campaign("later"),
                campaign("failing", trigger={"when": "attributes.plan == 'free'"}),
            )
        )
    )

    def count(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"pulsekeeper_decisions_{name}_total", labels)

    assert count("verdicts", campaign="hello", outcome="shown") == 1
    assert count("verdicts", campaign="later", outcome="outranked") == 1
    assert count("verdicts", campaign="failing", outcome="expression") == 1
    assert count("expression_failures", campaign="failing") == 1
    assert count("expression_failures", campaign="later") is None


def test_what_becomes_of_campaigns_is_counted_by_event() -> None:
    registry = CollectorRegistry()
    offer = Impression(campaign_id="hello", event="offered", release_id=None, decision_id=None)

    Numbers(registry).impressed([offer, offer])

    labels = {"campaign": "hello", "event": "offered"}
    assert registry.get_sample_value("pulsekeeper_decisions_impressions_total", labels) == 2


def test_commits_and_states_are_measured() -> None:
    registry = CollectorRegistry()
    numbers = Numbers(registry)

    numbers.commit_took(0.0025)
    numbers.recalled(remembered=3, read=1)

    assert registry.get_sample_value("pulsekeeper_decisions_commit_seconds_bucket", {"le": "0.003"}) == 1
    assert registry.get_sample_value("pulsekeeper_decisions_people_total", {"source": "memory"}) == 3
    assert registry.get_sample_value("pulsekeeper_decisions_people_total", {"source": "database"}) == 1
