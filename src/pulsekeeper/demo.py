"""What `pulsekeeper demo` adds to a running house: sample campaigns, a visitor with a past, and a month of sessions."""

from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import msgspec

from pulsekeeper.decisions.rulebook.catalogue import read_folder
from pulsekeeper.decisions.rulebook.definitions import definition
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rulebook.salt_store import SaltStore
from pulsekeeper.decisions.rules.campaigns import Release
from pulsekeeper.decisions.rules.model import VisitorState, Visits
from pulsekeeper.decisions.rules.people import anonymous_key
from pulsekeeper.decisions.store import DecisionStore
from pulsekeeper.house import House
from pulsekeeper.sessions.sampling.filling import Show, fill
from pulsekeeper.sessions.sampling.loader import has_history
from pulsekeeper.sessions.sampling.population import Sample

VISITOR = "demo-visitor-last-seen-40-days-ago"
RELEASE = "2025.10.1"
DAYS = 30
"""Of made-up sessions."""
_INSTALLATIONS = 500
_AWAY = timedelta(days=40)


async def furnish_demo(house: House, now: datetime) -> None:
    """Register a release, apply the sample campaigns, and send the demo visitor back to where they were 40 days ago."""
    async with RuleStore(house.database).edit(house.config.decisions.policy(), now) as draft:
        draft.releases[RELEASE] = Release(id=RELEASE, released_at=now - timedelta(days=7))
        draft.campaigns |= {campaign.id: definition(campaign) for campaign in read_folder(sample_campaigns())}
    key = await _demo_key(house)
    await DecisionStore(house.database).put_visitor(key, now - _AWAY, _state(now - _AWAY))


async def has_sessions(house: House) -> bool:
    """Whether anybody has ever been there, made up or not."""
    return await has_history(house.database)


async def furnish_sessions(house: House, now: datetime, show: Show) -> None:
    """Make up the sessions of a month, until this moment. Takes seconds."""
    sample = Sample(seed=1, until=now.date(), days=DAYS, installations=_INSTALLATIONS)
    await fill(house.database, sample, house.config.sessions, now, show)


def sample_campaigns() -> Path:
    """The folder of the sample campaigns: within the installed package, or beside the sources."""
    here = Path(__file__).parent
    packaged = here / "_config" / "campaigns"
    return packaged if packaged.is_dir() else here.parent.parent / "config" / "campaigns"


def curl(url: str, visitor_id: str | None = None) -> str:
    """The line that asks for a decision."""
    who = "" if visitor_id is None else f', "visitorId": "{visitor_id}"'
    body = f'{{"releaseId": "{RELEASE}"{who}}}'
    return f"curl -s {url}/api/experience/decide -H 'Content-Type: application/json' -d '{body}'"


def curl_metrics(url: str, key: str, now: datetime) -> str:
    """The line that asks for the figures of the month."""
    query = f"from={now.date() - timedelta(days=DAYS - 1)}&to={now.date()}"
    return f"curl -s '{url}/api/sessions/metrics?{query}' -H 'Authorization: Bearer {key}'"


def curl_start(url: str) -> str:
    """The line that starts a session."""
    body = '{"consentVersion": "2026-01", "appVersion": "1.0.0"}'
    return f"curl -s {url}/telemetry/start-session -H 'Content-Type: application/json' -d '{body}'"


def curl_ingest(url: str) -> str:
    """The line that tells of an event, with the token still to be put in."""
    event = f'{{"id": "{uuid4()}", "name": "story_opened", "props": {{"story": "Button"}}}}'
    headers = "-H 'Content-Type: application/json' -H 'Authorization: Bearer TOKEN'"
    return f"curl -s {url}/telemetry/ingest {headers} -d '[{event}]'"


async def _demo_key(house: House) -> str:
    salts = await SaltStore(house.database).salts()
    environment = house.config.decisions.environment
    return anonymous_key("visitor", VISITOR, environment=environment, salt=salts.in_force)


def _state(last_seen_at: datetime) -> bytes:
    return msgspec.json.encode(
        VisitorState(
            first_seen_at=last_seen_at - _AWAY,
            last_seen_at=last_seen_at,
            visits=Visits(total=7),
            version=1,
        )
    )
