"""How operators keep campaigns: each write is checked, conditional if they ask for it, and in force once answered."""

from typing import Any

import msgspec

from pulsekeeper import errors
from pulsekeeper.clock import Clock
from pulsekeeper.decisions.rulebook import campaign_operations
from pulsekeeper.decisions.rulebook.definitions import definition, read_definition
from pulsekeeper.decisions.rulebook.drafts import Draft
from pulsekeeper.decisions.rulebook.reading import read_campaign, read_campaign_as
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rules.campaigns import CampaignPage, Switch
from pulsekeeper.decisions.rules.model import Policy
from pulsekeeper.web.bodies import decode, decode_merge_patch
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.preconditions import check_preconditions, json_unless_known, json_with_tag
from pulsekeeper.web.wire import Reply, Request, no_content

_PAGE = 1000
"""Campaigns in one answer."""


class CampaignRoutes:
    """Decode, check, write, reply. What is replied is the campaign as it is stored, and its tag is the hash of that."""

    def __init__(self, rules: RuleStore, policy: Policy, clock: Clock) -> None:
        self._rules = rules
        self._policy = policy
        self._clock = clock

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The routes of campaigns."""
        return (
            campaign_operations.list_campaigns(self.index),
            campaign_operations.create_campaign(self.create),
            campaign_operations.show_campaign(self.show),
            campaign_operations.put_campaign(self.put),
            campaign_operations.switch_campaign(self.switch),
            campaign_operations.remove_campaign(self.remove),
        )

    async def index(self, request: Request) -> Reply:
        """A page of them, in the order of their ids."""
        found = await self._rules.definitions_after(request.first("after") or "", _PAGE + 1)
        campaigns = tuple(map(read_definition, found.values()))[:_PAGE]
        page = CampaignPage(campaigns, campaigns[-1].id if len(found) > _PAGE else None)
        return json_unless_known(request, msgspec.json.encode(page))

    async def create(self, request: Request) -> Reply:
        """Refused where there is one of this id, together with everything else that is wrong."""
        document = decode(request, dict[str, Any], unknown="ignore")  # the campaign itself is read below
        async with self._rules.edit(self._policy, self._clock()) as draft:
            campaign = read_campaign(document, taken=draft.campaigns)
            draft.campaigns[campaign.id] = stored = definition(campaign)
        return json_with_tag(stored, 201, headers=(("Location", _address(campaign.id)),))

    async def show(self, request: Request) -> Reply:
        """One of them."""
        stored = await self._rules.definition(campaign_id := request.path_params["id"])
        if stored is None:
            raise _unknown(campaign_id)
        return json_unless_known(request, stored)

    async def put(self, request: Request) -> Reply:
        """Adds or replaces, as the preconditions allow."""
        campaign = read_campaign_as(request.path_params["id"], decode(request, dict[str, Any], unknown="ignore"))
        async with self._rules.edit(self._policy, self._clock()) as draft:
            before = draft.campaigns.get(campaign.id)
            check_preconditions(request, before)
            draft.campaigns[campaign.id] = stored = definition(campaign)
        if before is None:
            return json_with_tag(stored, 201, headers=(("Location", _address(campaign.id)),))
        return json_with_tag(stored)

    async def switch(self, request: Request) -> Reply:
        """On or off, and nothing else."""
        wanted = decode_merge_patch(request, Switch)
        async with self._rules.edit(self._policy, self._clock()) as draft:
            campaign_id, before = _present(draft, request)
            campaign = msgspec.structs.replace(read_definition(before), active=wanted.active)
            draft.campaigns[campaign_id] = stored = definition(campaign)
        return json_with_tag(stored)

    async def remove(self, request: Request) -> Reply:
        """Gone; people's states are left as they are."""
        async with self._rules.edit(self._policy, self._clock()) as draft:
            campaign_id, _ = _present(draft, request)
            del draft.campaigns[campaign_id]
        return no_content()


def _present(draft: Draft, request: Request) -> tuple[str, bytes]:
    """The campaign in the address, once it is clear that the client means this version of it."""
    campaign_id = request.path_params["id"]
    stored = draft.campaigns.get(campaign_id)
    if stored is None:
        raise _unknown(campaign_id)
    check_preconditions(request, stored)
    return campaign_id, stored


def _unknown(campaign_id: str) -> errors.NotFound:
    return errors.NotFound(f"There is no campaign {campaign_id[:64]!r}.")


def _address(campaign_id: str) -> str:
    return f"/api/experience/campaigns/{campaign_id}"
