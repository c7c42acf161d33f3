"""How the routes of the log are described to those who call them."""

from functools import partial
from uuid import UUID

from pulsekeeper.decisions.audit.replay import Logged, Replay
from pulsekeeper.web.endpoints import Answer, Endpoint, Parameter
from pulsekeeper.web.identity import Scope
from pulsekeeper.web.wire import Handler

_PATH = "/api/experience/decisions/{id}"
_ID = "0199d1c5-30a0-7c6e-9a41-0b8f2f6f3d11"
_DECISION = {
    "decisionId": _ID,
    "decidedAt": "2025-10-10T17:20:00.123456Z",
    "personKey": "visitor:5f0c…",
    "identity": {"kind": "visitor", "authenticated": False, "roles": []},
    "ruleBook": "9b74c9897bac770ffc029102a200c5de…",
    "request": {"releaseId": "2025.10.1", "featureFlags": [], "attributes": {}},
    "stateBefore": {"lastSeenAt": "2025-08-30T08:00:00Z", "visits": {"total": 4}},
    "reply": {
        "decisionId": _ID,
        "releaseStatus": {"latestReleaseId": "2025.10.1", "alreadySeen": False},
        "decisions": [],
        "nextCheckInSeconds": 3412,
    },
    "reasons": {"welcome-back": "rollout"},
}
_REPLAY = {
    "identical": False,
    "differences": [{"pointer": "/reasons/welcome-back", "logged": "rollout", "replayed": "segment"}],
}

_id = Parameter(name="id", description="The `decisionId` of a reply.", type=UUID, example=_ID)
_endpoint = partial(Endpoint, tag="audit", scope=Scope.ADMIN, parameters=(_id,))


def show_decision(handler: Handler) -> Endpoint:
    """`GET /api/experience/decisions/{id}`."""
    return _endpoint(
        method="GET",
        path=_PATH,
        handler=handler,
        operation_id="showDecision",
        summary="A decision, as it was made.",
        description=(
            "Who asked, as a pseudonym; what was asked, what was known before, the version of the rules, the reply to"
            " the byte, and what became of every campaign. Kept for `log_retention`. A reply that said `degraded` was"
            " no decision, and is not here."
        ),
        answers={200: Answer(description="The row of the log.", type=Logged, example=_DECISION)},
    )


def replay_decision(handler: Handler) -> Endpoint:
    """`POST /api/experience/decisions/{id}/replay`."""
    return _endpoint(
        method="POST",
        path=f"{_PATH}/replay",
        handler=handler,
        operation_id="replayDecision",
        summary="Decide again from what was logged.",
        description=(
            "Takes the logged state, request, moment and version of the rules, decides once more and compares: the"
            " reply to the byte, and the reason of every campaign. A difference means that the code, or the time zone"
            " data, has changed since; pointers are into the logged decision. Nothing is stored. No body is needed."
        ),
        answers={200: Answer(description="Whether it is the same.", type=Replay, example=_REPLAY)},
    )
