"""How the routes of releases are described to those who call them."""

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
from pulsekeeper.decisions.rules.campaigns import Name, Release, ReleaseInPlace, ReleaseList
from pulsekeeper.errors import Conflict
from pulsekeeper.web.endpoints import Answer, Endpoint, Parameter
from pulsekeeper.web.problems import PreconditionFailed
from pulsekeeper.web.wire import Handler

_RELEASES = "/api/experience/releases"
_RELEASE = {"id": "2025.10.1", "releasedAt": "2025-10-01T09:00:00Z", "notesUrl": "/releases/2025.10.1"}


_id = Parameter(name="id", description="The release's id.", type=Name, example="2025.10.1")
_release = partial(Answer, type=Release, example=_RELEASE, headers=TAG)


def list_releases(handler: Handler) -> Endpoint:
    """`GET /api/experience/releases`."""
    return rule_endpoint(
        method="GET",
        path=_RELEASES,
        handler=handler,
        operation_id="listReleases",
        summary="All releases.",
        answers={
            200: Answer(
                description="The latest first.", type=ReleaseList, example={"releases": [_RELEASE]}, headers=TAG
            ),
            304: NOT_MODIFIED,
        },
    )


def show_release(handler: Handler) -> Endpoint:
    """`GET /api/experience/releases/{id}`."""
    return rule_endpoint(
        method="GET",
        path=f"{_RELEASES}/{{id}}",
        handler=handler,
        operation_id="getRelease",
        summary="One release.",
        parameters=(_id,),
        answers={200: _release(description="As it is stored."), 304: NOT_MODIFIED},
    )


def put_release(handler: Handler) -> Endpoint:
    """`PUT /api/experience/releases/{id}`."""
    return rule_endpoint(
        method="PUT",
        path=f"{_RELEASES}/{{id}}",
        handler=handler,
        operation_id="putRelease",
        summary="Register a release, or correct one.",
        description=("A release that lies in the future is known, but not yet the latest." + CREATES_OR_REPLACES),
        body=ReleaseInPlace,
        body_example=_RELEASE,
        parameters=(_id,),
        answers={
            200: _release(description="It has been corrected."),
            201: _release(description="It is new.", headers=NEW),
        },
        errors=(Conflict, PreconditionFailed),
    )


def remove_release(handler: Handler) -> Endpoint:
    """`DELETE /api/experience/releases/{id}`."""
    return rule_endpoint(
        method="DELETE",
        path=f"{_RELEASES}/{{id}}",
        handler=handler,
        operation_id="deleteRelease",
        summary="Forget a release.",
        description="Where people stand with it stays." + CONDITIONS + IN_FORCE,
        parameters=(_id,),
        answers={204: Answer(description="It is gone.")},
        errors=(PreconditionFailed,),
    )
