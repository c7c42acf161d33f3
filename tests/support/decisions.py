"""Campaigns, rules and moments that tests of decisions share."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import trio

from pulsekeeper.decisions.rulebook.definitions import definition
from pulsekeeper.decisions.rulebook.reading import read_campaign
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rulebook.shelf import Shelf
from pulsekeeper.decisions.rules.campaigns import Campaign
from pulsekeeper.decisions.rules.model import Settings
from pulsekeeper.postgres.database import Database
from pulsekeeper.scalars import Duration

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def campaign(campaign_id: str = "banner", **members: Any) -> Campaign:
    """A campaign that everybody is shown, but for what `members` (as in JSON) say."""
    return read_campaign({"id": campaign_id, "type": "onboarding", "action": "SHOW_BANNER", **members})


async def apply(rules: RuleStore, *campaigns: Campaign) -> None:
    """Put campaigns in force."""
    async with rules.edit(Settings().policy(), NOW) as draft:
        draft.campaigns |= {each.id: definition(each) for each in campaigns}


def settings(**members: Any) -> Settings:
    """The room's settings with some of them changed; durations as text."""
    given = {key: Duration.parse(value) if isinstance(value, str) else value for key, value in members.items()}
    return msgspec.structs.replace(Settings(), **given)


def loaded_shelf(database: Database, of: Settings) -> Shelf:
    """A shelf on a database whose schema is there."""
    ready = trio.Event()
    ready.set()
    return Shelf(database, of, lambda: NOW, ready, trio.Event())
