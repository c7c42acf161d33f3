"""Made-up campaigns and people, plain enough to be rebuilt for any other product that decides what to show."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pulsekeeper.decisions.rulebook.reading import read_campaigns
from pulsekeeper.decisions.rules.campaigns import Campaign, Release
from pulsekeeper.decisions.rules.model import CampaignState, DecideRequest, VisitorState, Visits

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
RELEASES = tuple(
    Release(id=f"2026.{month}.0", released_at=datetime(2026, month, 1, tzinfo=UTC)) for month in range(1, 4)
)
KINDS: tuple[dict[str, Any], ...] = (
    {"type": "release", "trigger": {"releaseId": "2026.3.0"}, "frequency": {"lifetime": 3}},
    {
        "type": "reengagement",
        "trigger": {"minDaysSinceLastSeen": 30},
        "frequency": {"caps": [{"cap": 1, "period": "P30D"}]},
    },
    {"type": "rollout", "trigger": {"featureFlags": ["beta"]}, "rollout": {"percent": 25.0, "salt": "beta"}},
    {"type": "survey", "trigger": {"minVisits": 5, "when": "visits.today > 2 && 'calendar' in flags"}},
    {
        "type": "onboarding",
        "trigger": {"maxVisits": 20, "segment": {"deviceType": ["phone"], "regions": ["US", "DE"]}},
        "frequency": {"caps": [{"cap": 1, "period": "P1D", "clock": "calendar"}]},
    },
)  # any JSON
"""One of each kind of trigger; a rule book repeats them with other ids and priorities."""


def campaigns(count: int) -> Sequence[Campaign]:
    """So many campaigns, all in force."""
    return read_campaigns([document(number) for number in range(count)])


def document(number: int) -> dict[str, Any]:
    """A campaign as its file would have it."""
    payload = {"title": f"Message {number}", "body": "Something that is worth a sentence or two.", "url": "/news"}
    common = {"id": f"campaign-{number}", "action": "SHOW_DIALOG", "priority": number, "messagePayload": payload}
    return common | KINDS[number % len(KINDS)]


def request(visitor_id: str) -> DecideRequest:
    """What a page says when it asks."""
    return DecideRequest(
        release_id="2026.3.0",
        feature_flags=("calendar", "search"),
        timezone="Europe/Berlin",
        visitor_id=visitor_id,
        attributes={"deviceType": "laptop", "region": "US-MA", "plan": "free"},
    )


def regular(now: datetime = NOW) -> VisitorState:
    """Somebody who comes every day, and was shown three campaigns in the past."""
    shown = [now - timedelta(days=day) for day in (3, 9, 20)]
    yesterday = now - timedelta(hours=20)
    return VisitorState(
        first_seen_at=now - timedelta(days=90),
        last_seen_at=yesterday,
        visits=Visits(today=1, this_week=1, total=60, day=f"{yesterday:%Y-%m-%d}", week=f"{yesterday:%G-W%V}"),
        last_release_seen="2026.3.0",
        last_release_visited="2026.3.0",
        campaigns={
            f"campaign-{number}": CampaignState(offers=1, last_offered_at=at, shown_at=(at,), acknowledged_at=at)
            for number, at in enumerate(shown)
        },
        attributes={"deviceType": "laptop", "region": "US-MA", "plan": "free"},
        version=60,
    )
