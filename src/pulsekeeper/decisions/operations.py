"""How the room's routes are described to those who call them."""

from typing import Literal

from pulsekeeper.decisions.rules.acks import AckRequest
from pulsekeeper.decisions.rules.model import DecideReply, DecideRequest, SimulateReply, SimulateRequest
from pulsekeeper.errors import Forbidden, NotFound, Unauthorized, Unavailable
from pulsekeeper.web.endpoints import KIBIBYTE, Answer, Endpoint, Parameter
from pulsekeeper.web.identity import Scope
from pulsekeeper.web.problems import RateLimited
from pulsekeeper.web.wire import Handler

_TAG = "decisions"
_LIMITS = {
    "RateLimit-Policy": "How many calls an address, and a person, may make in a minute.",
    "RateLimit": "How many of them are left, and in how many seconds all are back.",
}

_REQUEST = {
    "releaseId": "2025.10.1",
    "featureFlags": ["calendar-upgrade-v2"],
    "timezone": "America/New_York",
    "visitorId": "b7d0f5a2c9e14c58",
    "attributes": {"deviceType": "mobile", "region": "US-MA", "locale": "en-US"},
}
_REPLY = {
    "decisionId": "0199d1c5-30a0-7c6e-9a41-0b8f2f6f3d11",
    "releaseStatus": {"latestReleaseId": "2025.10.1", "alreadySeen": False},
    "decisions": [
        {
            "action": "SHOW_SNACKBAR",
            "campaignId": "welcome-back",
            "payload": {"title": "Welcome back"},
            "reason": ["returning_after_30_days"],
        }
    ],
    "nextCheckInSeconds": 3412,
}
_SIMULATION = {
    "now": "2025-10-10T17:20:00Z",
    "person": "visitor:abc",
    "authenticated": False,
    "state": {"lastSeenAt": "2025-08-30T08:00:00Z", "visits": {"total": 4}},
    "campaigns": None,
    "releases": None,
    "request": {"releaseId": "2025.10.1"},
}


def decide(handler: Handler) -> Endpoint:
    """`POST /api/experience/decide`."""
    return Endpoint(
        method="POST",
        path="/api/experience/decide",
        handler=handler,
        express=True,
        keeps_its_own_time=True,
        tag=_TAG,
        operation_id="decide",
        summary="What should this visitor see, if anything?",
        description=(
            "To be asked on every page load. Most of the time there is nothing to show. The answer comes after the"
            " decision is committed; when that takes too long, or cannot be, it says `degraded` and shows nothing."
            " A visitor is known by the random `visitorId` that the page keeps, or else by the address; both are only"
            " ever stored as keyed hashes."
        ),
        body=DecideRequest,
        body_example=_REQUEST,
        answers={200: Answer(description="What to show.", type=DecideReply, example=_REPLY, headers=_LIMITS)},
        parameters=(
            Parameter(
                name="explain",
                description="`1`, with an admin key, adds `evaluated`: what became of every campaign.",
                type=Literal["0", "1"],
            ),
        ),
        errors=(Forbidden, RateLimited, Unauthorized),
        public=True,
        max_body=16 * KIBIBYTE,
    )


def acknowledge(handler: Handler) -> Endpoint:
    """`POST /api/experience/ack`."""
    return Endpoint(
        method="POST",
        path="/api/experience/ack",
        handler=handler,
        express=True,
        tag=_TAG,
        operation_id="acknowledge",
        summary="Report what became of an offer.",
        description=(
            "A decision only makes an offer, which is reserved for half an hour; this makes it a showing. Report"
            " `shown` when the message is on the screen, `dismissed` or `completed` when it was dealt with. The person"
            " is known in the same way as when they asked. Repeating a report changes nothing. What could not be"
            " stored is said: try again after `Retry-After`."
        ),
        body=AckRequest,
        body_example={"campaignId": "welcome-back", "outcome": "dismissed", "visitorId": "b7d0f5a2c9e14c58"},
        answers={204: Answer(description="It is stored.", headers=_LIMITS)},
        errors=(NotFound, RateLimited, Unauthorized, Unavailable),
        public=True,
        max_body=16 * KIBIBYTE,
    )


def simulate(handler: Handler) -> Endpoint:
    """`POST /api/experience/simulate`."""
    return Endpoint(
        method="POST",
        path="/api/experience/simulate",
        handler=handler,
        tag=_TAG,
        operation_id="simulate",
        summary="Try rules out without touching anyone.",
        description=(
            "Decides as `decide` does, at any moment, for anybody, under any campaigns, and changes nothing. What is"
            " `null` or left out is taken from what is stored; where nothing is, no database is needed."
        ),
        body=SimulateRequest,
        body_example=_SIMULATION,
        answers={200: Answer(description="What would be shown, and why.", type=SimulateReply)},
        scope=Scope.ADMIN,
        max_body=1024 * KIBIBYTE,
    )
