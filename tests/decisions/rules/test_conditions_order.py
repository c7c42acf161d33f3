"""The order of the rules is part of their meaning: the first that refuses is the one that is named."""

import msgspec
import pytest

from pulsekeeper.decisions.rules.campaigns import Campaign
from pulsekeeper.decisions.rules.conditions import RULES, checks_of
from pulsekeeper.decisions.rules.entries import entry_of
from pulsekeeper.decisions.rules.model import CampaignState, VisitorState
from tests.support.rules import DAY, MINUTE, NOW, campaign, reason, seen, shown


def test_the_rules_are_asked_in_their_order() -> None:
    """Everything is wrong at once, and then one thing after the other is put right."""
    trouble: dict[str, object] = {
        "active": False,
        "trigger": {"requireAuth": True, "featureFlags": ["x"], "releaseId": "3000", "minVisits": 99, "when": "false"},
        "rollout": {"percent": 0},
    }
    trigger = trouble["trigger"]
    assert isinstance(trigger, dict)
    trigger |= {"segment": {"regions": ["X"]}, "minDaysSinceLastSeen": 99}
    state = CampaignState(offers=9, last_offered_at=NOW, acknowledged_at=NOW - DAY, dismissed_at=NOW - DAY)
    before = seen(60 * MINUTE, today=9, campaigns={"hello": state, "other": shown(MINUTE)})

    def now_it_is(without: str | None = None, *, member: str | None = None) -> str:
        if without is not None:
            del trouble[without]
        if member is not None:
            del trigger[member]
        return reason(campaign("hello", **trouble), before)

    assert now_it_is() == "inactive"
    assert now_it_is("active") == "needs_auth"
    assert now_it_is(member="requireAuth") == "segment"
    assert now_it_is(member="segment") == "feature_flag"
    assert now_it_is(member="featureFlags") == "release_not_running"
    assert now_it_is(member="releaseId") == "too_recent"
    assert now_it_is(member="minDaysSinceLastSeen") == "too_few_visits"
    assert now_it_is(member="minVisits") == "expression"
    assert now_it_is(member="when") == "rollout"
    assert now_it_is("rollout") == "acknowledged"

    def with_state(**changes: object) -> VisitorState:
        nonlocal state
        state = msgspec.structs.replace(state, **changes)
        return seen(60 * MINUTE, today=9, campaigns={"hello": state, "other": shown(MINUTE)})

    assert reason(campaign(), with_state(acknowledged_at=None)) == "dismissed"
    assert reason(campaign(), with_state(dismissed_at=None)) == "frequency"
    assert reason(campaign(), with_state(last_offered_at=NOW - DAY)) == "offered_enough"
    assert reason(campaign(), with_state(offers=1)) == "quiet"
    assert reason(campaign(exempt={"quiet": True}), before=with_state()) == "cooldown"


@pytest.mark.parametrize(
    ("plain", "checks"),
    [
        (campaign(), ["answer", "frequency", "quiet", "cooldown"]),
        (campaign(personal=True, exempt={"quiet": True}), ["identity", "answer", "frequency", "cooldown"]),
        (
            campaign(validTo="2026-01-01T00:00:00Z", frequency={"untilAcknowledged": False}, exempt={"cooldown": True}),
            ["season", "frequency", "quiet"],
        ),
    ],
)
def test_only_conditions_that_a_campaign_has_are_asked_for(plain: Campaign, checks: list[str]) -> None:
    entry = entry_of(plain)

    assert [rule.__name__ for rule in RULES if rule(entry) is not None] == checks
    assert len(checks_of(entry)) == len(checks)
