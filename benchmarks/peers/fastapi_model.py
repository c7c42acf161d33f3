"""The nouns of the FastAPI peer, on the wire and in its tables, and its ten campaigns."""

# mypy: allow_subclassing_any, disable-error-code="import-not-found"
# Its libraries are in an environment of their own.

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

LATEST_RELEASE = "2026.3.0"

Name = Annotated[str, Field(min_length=1, max_length=64)]


class Model(BaseModel):
    """Python's names here, JavaScript's on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class DecideRequest(Model):
    """What a page tells about itself."""

    release_id: Name
    feature_flags: Annotated[list[Name], Field(max_length=64)] = []
    timezone: str = "UTC"
    visitor_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
    attributes: dict[str, bool | int | float | str] = {}


class ReleaseStatus(Model):
    """Where the visitor stands with the latest release."""

    latest_release_id: str
    already_seen: bool


class Decision(Model):
    """One thing to show."""

    action: str
    campaign_id: str
    payload: dict[str, str]


class DecideReply(Model):
    """What to show, most of the time nothing."""

    decision_id: UUID
    release_status: ReleaseStatus
    decisions: list[Decision]


class Showings(Model):
    """What a visitor and a campaign have had to do with each other."""

    last_offered_at: datetime | None = None
    offered_at: list[datetime] = []


NEVER_SHOWN = Showings()


class State(Model):
    """What is known of a visitor."""

    first_seen_at: datetime
    last_seen_at: datetime
    day: str
    visits_today: int = 1
    visits: int = 1
    last_release_seen: str
    campaigns: dict[str, Showings] = {}
    attributes: dict[str, bool | int | float | str] = {}


class Campaign(Model):
    """What may be shown, and to whom. What is left out adds no condition."""

    id: str
    priority: int
    release_id: str | None = None
    min_days_since_last_seen: int | None = None
    feature_flags: frozenset[str] = frozenset()
    min_visits: int = 0
    max_visits: int = 1_000_000
    min_visits_today: int = 0
    device_types: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    percent: float = 100.0
    lifetime: int = 1000
    cap: tuple[int, timedelta] | None = None
    payload: dict[str, str] = {"title": "Message", "body": "Something that is worth a sentence or two.", "url": "/news"}


KINDS: tuple[dict[str, Any], ...] = (
    {"release_id": LATEST_RELEASE, "lifetime": 3},
    {"min_days_since_last_seen": 30, "cap": (1, timedelta(days=30))},
    {"feature_flags": {"beta"}, "percent": 25.0},
    {"min_visits": 5, "min_visits_today": 3, "feature_flags": {"calendar"}},
    {"max_visits": 20, "device_types": {"phone"}, "regions": {"US", "DE"}, "cap": (1, timedelta(days=1))},
)
CAMPAIGNS = [Campaign(id=f"campaign-{n}", priority=n, **KINDS[n % len(KINDS)]) for n in reversed(range(10))]
