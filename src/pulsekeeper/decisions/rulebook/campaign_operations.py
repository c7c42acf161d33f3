"""How the routes of campaigns are described to those who call them."""

from functools import partial

from pulsekeeper.decisions.rulebook.rule_operations import (
    CONDITIONS,
    CREATES_OR_REPLACES,
    IN_FORCE,
    NEW,
    NOT_MODIFIED,
    TAG,
    rule_endpoint,
)
from pulsekeeper.decisions.rules.campaigns import Campaign, CampaignInPlace, CampaignPage, Slug, Switch
from pulsekeeper.errors import Conflict
from pulsekeeper.web.endpoints import Answer, Endpoint, Parameter
from pulsekeeper.web.problems import PreconditionFailed
from pulsekeeper.web.wire import Handler

_CAMPAIGNS = "/api/experience/campaigns"
_CAMPAIGN = {
    "id": "new-release-2025q4",
    "type": "release",
    "action": "SHOW_DIALOG",
    "priority": 50,
    "trigger": {"releaseId": "2025.10.1"},
    "frequency": {"lifetime": 3, "caps": [{"cap": 1, "period": "P1D", "clock": "calendar"}]},
    "messagePayload": {"title": "What's new", "cta": {"label": "See what has changed", "url": "/releases"}},
}

_id = Parameter(name="id", description="The campaign's id.", type=Slug, example="new-release-2025q4")
_campaign = partial(Answer, type=Campaign, example=_CAMPAIGN, headers=TAG)


def list_campaigns(handler: Handler) -> Endpoint:
    """`GET /api/experience/campaigns`."""
    page = {"campaigns": [_CAMPAIGN], "next": None}
    return rule_endpoint(
        method="GET",
        path=_CAMPAIGNS,
        handler=handler,
        operation_id="listCampaigns",
        summary="All campaigns, a thousand at a time.",
        parameters=(Parameter(name="after", description="The `next` of the answer before.", example="welcome-back"),),
        answers={
            200: Answer(description="Campaigns by id.", type=CampaignPage, example=page, headers=TAG),
            304: NOT_MODIFIED,
        },
    )


def create_campaign(handler: Handler) -> Endpoint:
    """`POST /api/experience/campaigns`."""
    return rule_endpoint(
        method="POST",
        path=_CAMPAIGNS,
        handler=handler,
        operation_id="createCampaign",
        summary="Add a campaign.",
        description=(
            "Everything that is wrong with it is said at once, each with a pointer; that there is a campaign of this id"
            " is one of these faults, at `/id`." + IN_FORCE
        ),
        body=Campaign,
        body_example=_CAMPAIGN,
        answers={201: _campaign(description="It is stored.", headers=NEW)},
        errors=(Conflict,),
    )


def show_campaign(handler: Handler) -> Endpoint:
    """`GET /api/experience/campaigns/{id}`."""
    return rule_endpoint(
        method="GET",
        path=f"{_CAMPAIGNS}/{{id}}",
        handler=handler,
        operation_id="getCampaign",
        summary="One campaign.",
        parameters=(_id,),
        answers={200: _campaign(description="As it is stored, every member said."), 304: NOT_MODIFIED},
    )


def put_campaign(handler: Handler) -> Endpoint:
    """`PUT /api/experience/campaigns/{id}`."""
    return rule_endpoint(
        method="PUT",
        path=f"{_CAMPAIGNS}/{{id}}",
        handler=handler,
        operation_id="putCampaign",
        summary="Add a campaign, or put it in the place of the one with this id.",
        description=("What people have had to do with a campaign stays with its id." + CREATES_OR_REPLACES),
        body=CampaignInPlace,
        body_example=_CAMPAIGN,
        parameters=(_id,),
        answers={
            200: _campaign(description="It has been replaced."),
            201: _campaign(description="It is new.", headers=NEW),
        },
        errors=(Conflict, PreconditionFailed),
    )


def switch_campaign(handler: Handler) -> Endpoint:
    """`PATCH /api/experience/campaigns/{id}`."""
    return rule_endpoint(
        method="PATCH",
        path=f"{_CAMPAIGNS}/{{id}}",
        handler=handler,
        operation_id="switchCampaign",
        summary="Switch a campaign on or off.",
        description=(
            "Also as `application/merge-patch+json`. Acknowledgements are taken for one that is off."
            + CONDITIONS
            + IN_FORCE
        ),
        body=Switch,
        body_example=Switch(active=False),
        parameters=(_id,),
        answers={200: _campaign(description="As it is now.")},
        errors=(PreconditionFailed,),
    )


def remove_campaign(handler: Handler) -> Endpoint:
    """`DELETE /api/experience/campaigns/{id}`."""
    return rule_endpoint(
        method="DELETE",
        path=f"{_CAMPAIGNS}/{{id}}",
        handler=handler,
        operation_id="deleteCampaign",
        summary="Forget a campaign.",
        description=(
            "What people have had to do with it stays, acknowledgements are still taken, and it counts again should a"
            " campaign of this id ever come back." + CONDITIONS + IN_FORCE
        ),
        parameters=(_id,),
        answers={204: Answer(description="It is gone.")},
        errors=(PreconditionFailed,),
    )
