"""How the routes of campaigns and releases are described to those who call them."""

from functools import partial

from pulsekeeper.decisions.campaigns import Campaign, CampaignPage, Name, Release, ReleaseList, Slug, Switch
from pulsekeeper.errors import Conflict
from pulsekeeper.web.endpoints import KIBIBYTE, Answer, Endpoint, Parameter
from pulsekeeper.web.identity import Scope
from pulsekeeper.web.problems import PreconditionFailed
from pulsekeeper.web.wire import Handler

_CAMPAIGNS = "/api/experience/campaigns"
_RELEASES = "/api/experience/releases"
_MOST_BODY = 64 * KIBIBYTE
_TAG = {"ETag": "The version, for `If-Match` and `If-None-Match`."}
_NEW = {**_TAG, "Location": "Its address."}
_CONDITIONS = (
    " `If-Match` with the tag of the version that was read makes it fail with 412 when somebody else was faster;"
    " without it, whoever comes last wins."
)
_IN_FORCE = " In force on every node within a second."
_CREATES_OR_REPLACES = " `If-None-Match: *` only ever creates." + _CONDITIONS + _IN_FORCE
_NOT_MODIFIED = Answer(description="It is still what `If-None-Match` says.", headers=_TAG)

_CAMPAIGN = {
    "id": "new-release-2025q4",
    "type": "release",
    "action": "SHOW_DIALOG",
    "priority": 50,
    "trigger": {"releaseId": "2025.10.1"},
    "frequency": {"lifetime": 3, "caps": [{"cap": 1, "period": "P1D", "clock": "calendar"}]},
    "messagePayload": {"title": "What's new", "cta": {"label": "See what has changed", "url": "/releases"}},
}
_RELEASE = {"id": "2025.10.1", "releasedAt": "2025-10-01T09:00:00Z", "notesUrl": "/releases/2025.10.1"}

_endpoint = partial(Endpoint, tag="rules", scope=Scope.ADMIN, max_body=_MOST_BODY)
_campaign_id = Parameter(name="id", description="The campaign's id.", type=Slug, example="new-release-2025q4")
_release_id = Parameter(name="id", description="The release's id.", type=Name, example="2025.10.1")
_campaign = partial(Answer, type=Campaign, example=_CAMPAIGN, headers=_TAG)
_release = partial(Answer, type=Release, example=_RELEASE, headers=_TAG)


def list_campaigns(handler: Handler) -> Endpoint:
    """`GET /api/experience/campaigns`."""
    page = {"campaigns": [_CAMPAIGN], "next": None}
    return _endpoint(
        method="GET",
        path=_CAMPAIGNS,
        handler=handler,
        operation_id="listCampaigns",
        summary="All campaigns, a thousand at a time.",
        parameters=(Parameter(name="after", description="The `next` of the answer before.", example="welcome-back"),),
        answers={
            200: Answer(description="Campaigns by id.", type=CampaignPage, example=page, headers=_TAG),
            304: _NOT_MODIFIED,
        },
    )


def create_campaign(handler: Handler) -> Endpoint:
    """`POST /api/experience/campaigns`."""
    return _endpoint(
        method="POST",
        path=_CAMPAIGNS,
        handler=handler,
        operation_id="createCampaign",
        summary="Add a campaign.",
        description=(
            "Everything that is wrong with it is said at once, each with a pointer; that there is a campaign of this id"
            " is one of these faults, at `/id`." + _IN_FORCE
        ),
        body=Campaign,
        body_example=_CAMPAIGN,
        answers={201: _campaign(description="It is stored.", headers=_NEW)},
        errors=(Conflict,),
    )


def show_campaign(handler: Handler) -> Endpoint:
    """`GET /api/experience/campaigns/{id}`."""
    return _endpoint(
        method="GET",
        path=f"{_CAMPAIGNS}/{{id}}",
        handler=handler,
        operation_id="getCampaign",
        summary="One campaign.",
        parameters=(_campaign_id,),
        answers={200: _campaign(description="As it is stored, every member said."), 304: _NOT_MODIFIED},
    )


def put_campaign(handler: Handler) -> Endpoint:
    """`PUT /api/experience/campaigns/{id}`."""
    return _endpoint(
        method="PUT",
        path=f"{_CAMPAIGNS}/{{id}}",
        handler=handler,
        operation_id="putCampaign",
        summary="Add a campaign, or put it in the place of the one with this id.",
        description=(
            "The id may be left out of the body. What people have had to do with a campaign stays with its id."
            + _CREATES_OR_REPLACES
        ),
        body=Campaign,
        body_example=_CAMPAIGN,
        parameters=(_campaign_id,),
        answers={
            200: _campaign(description="It has been replaced."),
            201: _campaign(description="It is new.", headers=_NEW),
        },
        errors=(Conflict, PreconditionFailed),
    )


def switch_campaign(handler: Handler) -> Endpoint:
    """`PATCH /api/experience/campaigns/{id}`."""
    return _endpoint(
        method="PATCH",
        path=f"{_CAMPAIGNS}/{{id}}",
        handler=handler,
        operation_id="switchCampaign",
        summary="Switch a campaign on or off.",
        description=(
            "Also as `application/merge-patch+json`. Acknowledgements are taken for one that is off."
            + _CONDITIONS
            + _IN_FORCE
        ),
        body=Switch,
        body_example=Switch(active=False),
        parameters=(_campaign_id,),
        answers={200: _campaign(description="As it is now.")},
        errors=(PreconditionFailed,),
    )


def remove_campaign(handler: Handler) -> Endpoint:
    """`DELETE /api/experience/campaigns/{id}`."""
    return _endpoint(
        method="DELETE",
        path=f"{_CAMPAIGNS}/{{id}}",
        handler=handler,
        operation_id="deleteCampaign",
        summary="Forget a campaign.",
        description=(
            "What people have had to do with it stays, acknowledgements are still taken, and it counts again should a"
            " campaign of this id ever come back." + _CONDITIONS + _IN_FORCE
        ),
        parameters=(_campaign_id,),
        answers={204: Answer(description="It is gone.")},
        errors=(PreconditionFailed,),
    )


def list_releases(handler: Handler) -> Endpoint:
    """`GET /api/experience/releases`."""
    return _endpoint(
        method="GET",
        path=_RELEASES,
        handler=handler,
        operation_id="listReleases",
        summary="All releases.",
        answers={
            200: Answer(
                description="The latest first.", type=ReleaseList, example={"releases": [_RELEASE]}, headers=_TAG
            ),
            304: _NOT_MODIFIED,
        },
    )


def show_release(handler: Handler) -> Endpoint:
    """`GET /api/experience/releases/{id}`."""
    return _endpoint(
        method="GET",
        path=f"{_RELEASES}/{{id}}",
        handler=handler,
        operation_id="getRelease",
        summary="One release.",
        parameters=(_release_id,),
        answers={200: _release(description="As it is stored."), 304: _NOT_MODIFIED},
    )


def put_release(handler: Handler) -> Endpoint:
    """`PUT /api/experience/releases/{id}`."""
    return _endpoint(
        method="PUT",
        path=f"{_RELEASES}/{{id}}",
        handler=handler,
        operation_id="putRelease",
        summary="Register a release, or correct one.",
        description=(
            "The id may be left out of the body. A release that lies in the future is known, but not yet the latest."
            + _CREATES_OR_REPLACES
        ),
        body=Release,
        body_example=_RELEASE,
        parameters=(_release_id,),
        answers={
            200: _release(description="It has been corrected."),
            201: _release(description="It is new.", headers=_NEW),
        },
        errors=(Conflict, PreconditionFailed),
    )


def remove_release(handler: Handler) -> Endpoint:
    """`DELETE /api/experience/releases/{id}`."""
    return _endpoint(
        method="DELETE",
        path=f"{_RELEASES}/{{id}}",
        handler=handler,
        operation_id="deleteRelease",
        summary="Forget a release.",
        description="Where people stand with it stays." + _CONDITIONS + _IN_FORCE,
        parameters=(_release_id,),
        answers={204: Answer(description="It is gone.")},
        errors=(PreconditionFailed,),
    )
