"""What `pulsekeeper demo` adds to a running house: sample campaigns, and a visitor with a past."""

from datetime import datetime, timedelta
from pathlib import Path

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

VISITOR = "demo-visitor-last-seen-40-days-ago"
RELEASE = "2025.10.1"
_AWAY = timedelta(days=40)


async def furnish_demo(house: House, now: datetime) -> None:
    """Register a release, apply the sample campaigns, and send the demo visitor back to where they were 40 days ago."""
    async with RuleStore(house.database).edit(house.config.decisions.policy(), now) as draft:
        draft.releases[RELEASE] = Release(id=RELEASE, released_at=now - timedelta(days=7))
        draft.campaigns |= {campaign.id: definition(campaign) for campaign in read_folder(sample_campaigns())}
    key = await _demo_key(house)
    await DecisionStore(house.database).put_visitor(key, now - _AWAY, _state(now - _AWAY))


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
