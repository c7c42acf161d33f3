"""How the routes of people are described to those who call them."""

from functools import partial
from typing import Literal

from pulsekeeper.decisions.audit.dossiers import MOST_ROWS, Erased, PersonReply, UserId
from pulsekeeper.decisions.rules.model import PersonKey, VisitorId
from pulsekeeper.errors import NotFound
from pulsekeeper.web.endpoints import Answer, Endpoint, Parameter
from pulsekeeper.web.identity import Scope
from pulsekeeper.web.wire import Handler

PATH = "/api/experience/state"

_STATE = {
    "firstSeenAt": "2025-05-01T08:00:00Z",
    "lastSeenAt": "2025-10-10T17:20:00Z",
    "visits": {"today": 1, "thisWeek": 3, "total": 41, "day": "2025-10-10", "week": "2025-W41"},
    "lastReleaseSeen": "2025.10.1",
    "lastReleaseVisited": "2025.10.1",
    "campaigns": {"welcome-back": {"offers": 1, "lastOfferedAt": "2025-10-10T17:20:00Z"}},
    "linked": ["visitor:5f0c…"],
    "attributes": {"region": "US-MA"},
    "version": 57,
}
_ERASED = {
    "personKeys": ["user:u-1", "visitor:5f0c…"],
    "totals": {"states": 2, "links": 1, "decisions": 57, "impressions": 9, "releaseVisits": 4},
}
_WHO = (
    " Name the person by exactly one of the three. A user is one person with every anonymous visitor that was linked to"
    " them by a login, and so is such a visitor with the user; a browser on which several users have logged in counts"
    " as none of them, and stands for itself."
)

_KEY = {"Content-Location": "The same, by the key under which it is stored."}

_parameters = (
    Parameter(name="userId", description="The `sub` of the ID token.", type=UserId, example="u-1"),
    Parameter(name="visitorId", description="The random id that the browser keeps.", type=VisitorId),
    Parameter(name="personKey", description="The key that the log has.", type=PersonKey),
)
_export = Parameter(name="export", description="`1` adds everything that is stored.", type=Literal["0", "1"])
_endpoint = partial(Endpoint, tag="people", path=PATH, scope=Scope.ADMIN)


def show_person(handler: Handler) -> Endpoint:
    """`GET /api/experience/state`."""
    return _endpoint(
        method="GET",
        handler=handler,
        operation_id="showPerson",
        summary="What is known of a person.",
        description=(
            "The state, which `simulate` takes as it is. With `export=1` also `export`: the states, links, logged"
            f" decisions, impressions and release visits of all of the person's keys, the newest {MOST_ROWS} of each;"
            " `complete` says whether that is all." + _WHO
        ),
        parameters=(*_parameters, _export),
        answers={200: Answer(description="What is known.", type=PersonReply, example=_STATE, headers=_KEY)},
        errors=(NotFound,),
    )


def erase_person(handler: Handler) -> Endpoint:
    """`DELETE /api/experience/state`."""
    return _endpoint(
        method="DELETE",
        handler=handler,
        operation_id="erasePerson",
        summary="Forget a person.",
        description=(
            "Deletes the states, links, logged decisions, impressions and release visits of all of the person's keys,"
            " all or nothing, and says how many. Who comes back begins anew." + _WHO
        ),
        parameters=_parameters,
        answers={200: Answer(description="They are gone.", type=Erased, example=_ERASED)},
    )
