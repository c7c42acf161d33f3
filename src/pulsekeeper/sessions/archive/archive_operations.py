"""How the routes of the archive are described to those who call them."""

from functools import partial
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from pulsekeeper.errors import NotFound, Overloaded
from pulsekeeper.sessions.archive.formats import PARQUET_TYPE, TEXT_FORMATS
from pulsekeeper.sessions.archive.periods import MOST_DAYS
from pulsekeeper.sessions.archive.timeline import LARGEST_PAGE, Timeline
from pulsekeeper.web.endpoints import Answer, Endpoint, Parameter
from pulsekeeper.web.identity import Scope
from pulsekeeper.web.wire import Handler

_ID = "0199d1c5-30a0-7c6e-9a41-0b8f2f6f3d11"
_EVENT_ID = "5f0c2c6e-7c0f-4f43-9d3c-6a1d7a2a7c11"
_EVENT = {
    "id": _EVENT_ID,
    "name": "story_opened",
    "at": "2026-11-21T17:20:04.120000Z",
    "rawAt": "2026-11-21T17:19:58.120000Z",
    "receivedAt": "2026-11-21T17:20:05.004211Z",
    "seq": 7,
    "props": {"story": "Button"},
    "isCut": False,
}
_TIMELINE = {
    "sessionId": _ID,
    "installationId": "c0a8012e-0b5e-4c41-8d4e-1f3d8a4b9c20",
    "startedAt": "2026-11-21T17:20:00Z",
    "lastSeenAt": "2026-11-21T17:20:05.004211Z",
    "endedAt": None,
    "endReason": None,
    "appVersion": "2.4.0",
    "platform": "figma",
    "timezone": "Europe/Berlin",
    "state": "open",
    "events": [_EVENT],
    "next": _EVENT_ID,
}

_EXPORTING = (
    "Everything received from `from` on and before `to`, as of one moment, about in the order of receipt. With"
    f" neither: yesterday, in UTC. At most {MOST_DAYS} days. What is not complete ends without the end of a"
    " chunked reply, so that no client takes it for whole; a reader that stands still for a minute is left."
    " In CSV, RFC 4180 in UTF-8, what is absent is empty, and no cell begins like a formula; in `props`, which"
    " are JSON, a semicolon is written `\\u003b`, so that a spreadsheet that splits there finds nothing to"
    " execute. Parquet has times with their zone and ids as UUIDs; it is there if the extra `lake` is"
    " installed, and begins when all of it is written."
)

_endpoint = partial(Endpoint, method="GET", tag="sessions", scope=Scope.ADMIN)


def show_session(handler: Handler) -> Endpoint:
    """`GET /api/sessions/{id}`."""
    return _endpoint(
        path="/api/sessions/{id}",
        handler=handler,
        operation_id="showSession",
        summary="A session, and what happened in it.",
        description=(
            "Whether it is open is told for now: one that has been silent for too long is over since its last sign of"
            " life, also while nobody has noticed. Events stand in the order of `seq`; one without stands where `at`"
            " says, and `at` and then `id` order what is equal."
        ),
        parameters=(
            Parameter(name="id", description="The `sessionId` of a start.", type=UUID, example=_ID),
            Parameter(
                name="after",
                description="`next` of the page before: the event after which this one begins.",
                type=UUID,
                example=_EVENT_ID,
            ),
            Parameter(
                name="limit",
                description="How many events at most; 100 unless given.",
                type=Annotated[int, Meta(ge=1, le=LARGEST_PAGE)],
                example=100,
            ),
        ),
        answers={200: Answer(description="The session and a page of its events.", type=Timeline, example=_TIMELINE)},
        errors=(NotFound,),
    )


def export_events(handler: Handler) -> Endpoint:
    """`GET /api/sessions/export`."""
    return _endpoint(
        path="/api/sessions/export",
        handler=handler,
        operation_id="exportEvents",
        summary="Raw events, as a file.",
        description=_EXPORTING,
        parameters=(
            Parameter(
                name="format",
                description="One JSON object a line unless given.",
                type=Literal["ndjson", "csv", "parquet"],
            ),
            Parameter(
                name="from",
                description="A date, which is its midnight, or a moment; a day before `to` unless given.",
                example="2026-11-01",
            ),
            Parameter(
                name="to",
                description="The same, of what is not included any more; now unless given.",
                example="2026-11-22",
            ),
        ),
        answers={
            200: Answer(
                description="The file, in the format that was asked for.",
                media_types=(*(one.content_type for one in TEXT_FORMATS.values()), PARQUET_TYPE),
                headers={"Content-Disposition": "A name for it."},
            )
        },
        errors=(Overloaded,),
    )
