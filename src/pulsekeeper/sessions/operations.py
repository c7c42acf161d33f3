"""How the room's routes are described to those who call them."""

from functools import partial

from pulsekeeper.errors import Conflict, Forbidden, NotFound, Overloaded, Unauthorized, Unavailable
from pulsekeeper.sessions.model import (
    MOST_BYTES,
    MOST_EVENTS,
    IngestEvent,
    IngestReply,
    IngestRequest,
    Label,
    StartReply,
    StartRequest,
    WithdrawRequest,
)
from pulsekeeper.web.endpoints import KIBIBYTE, Answer, Endpoint, Parameter
from pulsekeeper.web.problems import PayloadTooLarge, RateLimited, UnsupportedMediaType
from pulsekeeper.web.wire import Handler

_LIMITS = {
    "RateLimit-Policy": "How many sessions an address may start, or how many calls a session may make.",
    "RateLimit": "How many of them are left, and in how many seconds all are back.",
}
_TOKEN = Parameter(
    name="token",
    description="The session's token, where it comes neither as `Authorization: Bearer` nor as `X-Session-Token`.",
)
_WHOSE = (
    " The session is known by its token: `Authorization: Bearer`, `X-Session-Token`, or `?token=` for beacons, which"
    " can set no header."
)
_INGESTING = (
    f"Up to {MOST_EVENTS} events and 1 MiB in a call, unpacked: an object with `events`, a bare array, or an event on"
    " each line; `Content-Encoding: gzip` is read. Each event is judged by itself, and what is accepted is committed"
    " before the answer. An event is stored once for its id, however often it is sent, so repeat a call that was not"
    " answered. Events are taken for a while after the end of their session. The clock of the client is corrected by"
    " `sentAt`, which may also stand in the query."
)
_USELESS = "None is fit to be stored; or, as a problem, this is no list of events."
_GET_AS_WELL = " `GET` is there for clients that have nothing else; prefer `POST`."
_TOKEN_CODES = ("token_missing", "token_malformed", "token_unknown_key", "token_forged", "token_expired")
_SPOKEN_ERRORS = (Forbidden, NotFound, Overloaded, RateLimited, Unauthorized, Unavailable)
_INGEST_ERRORS = (Forbidden, Overloaded, PayloadTooLarge, RateLimited, Unauthorized, Unavailable, UnsupportedMediaType)
_SPOKEN_CODES = {401: _TOKEN_CODES, 403: ("consent_withdrawn",), 404: ("unknown_session",)}

_START = {
    "installationId": "4b1c1f63-9a3b-4b8c-8a4e-2f3f6f0f4c0a",
    "consentVersion": "2026-11",
    "appVersion": "8.6.1",
    "platform": "web",
    "timezone": "Europe/Berlin",
}
_STARTED = {
    "sessionId": "019d1c53-0a07-7c6e-9a41-0b8f2f6f3d11",
    "token": "pkst_AQAAAAAAAAAB…",
    "installationId": "4b1c1f63-9a3b-4b8c-8a4e-2f3f6f0f4c0a",
    "stillAliveSeconds": 300,
    "timeoutSeconds": 3600,
}
_EVENTS = {
    "sentAt": "2026-11-22T10:00:05Z",
    "events": [
        {
            "id": "0b0e9a5c-3c1e-4a59-8d2a-3f0c5d8e7a10",
            "name": "story_opened",
            "at": "2026-11-22T10:00:00Z",
            "seq": 7,
            "props": {"story": "Button"},
        }
    ],
}
_ALL_STORED = {"accepted": 1, "duplicates": 0, "rejected": []}
_ALL_REFUSED = {"accepted": 0, "duplicates": 0, "rejected": [{"index": 0, "id": None, "reason": "bad_id"}]}

_public = partial(Endpoint, tag="sessions", public=True)


def start(handler: Handler) -> tuple[Endpoint, ...]:
    """`POST` and `GET /telemetry/start-session`."""
    described = partial(
        _public,
        path="/telemetry/start-session",
        handler=handler,
        summary="Begin a session: the user has agreed to be counted.",
        description=(
            "The call is the statement of consent, and is recorded with its time; with `consent` false nothing is. Keep"
            " the `installationId` and send it with the next start: one that nobody knows is replaced by a new one. Say"
            " `still-alive` every `stillAliveSeconds`; after `timeoutSeconds` of silence the session is over. Without a"
            " body the members are read from the query, and truth values are `true`, `false`, `1` or `0`."
            + _GET_AS_WELL
        ),
        answers={201: Answer(description="It has begun.", type=StartReply, example=_STARTED, headers=_LIMITS)},
        errors=(Forbidden, Overloaded, RateLimited, Unavailable),
        codes={403: ("consent_required",)},
    )
    return (
        described(
            method="POST", operation_id="startSession", body=StartRequest, body_example=_START, body_required=False
        ),
        described(method="GET", operation_id="startSessionByGet", parameters=_start_parameters(), safe=False),
    )


def _start_parameters() -> tuple[Parameter, ...]:
    return (
        Parameter(name="installationId", description="As it was given by an earlier start."),
        Parameter(name="consent", description="Whether the user has agreed.", type=bool),
        Parameter(name="consentVersion", description="To which text.", type=Label),
        Parameter(name="appVersion", description="Of what they use.", type=Label),
        Parameter(name="platform", description="Where they use it.", type=Label),
        Parameter(name="timezone", description="An IANA zone.", type=Label, example="Europe/Berlin"),
        Parameter(name="replace", description="Whether the installation's other open sessions end.", type=bool),
    )


def still_alive(handler: Handler) -> tuple[Endpoint, ...]:
    """`POST` and `GET /telemetry/still-alive`."""
    return _sign_of_life(
        handler,
        "stillAlive",
        path="/telemetry/still-alive",
        express=True,
        summary="The session goes on.",
        description="Any other call of the session says so as well." + _WHOSE + _GET_AS_WELL,
        answers={204: Answer(description="It does.", headers=_LIMITS)},
        errors=(Conflict, *_SPOKEN_ERRORS),
        codes=_SPOKEN_CODES | {409: ("session_ended",)},
    )


def end(handler: Handler) -> tuple[Endpoint, ...]:
    """`POST` and `GET /telemetry/end-session`."""
    return _sign_of_life(
        handler,
        "endSession",
        path="/telemetry/end-session",
        summary="End the session.",
        description="One that is over is left as it is." + _WHOSE + _GET_AS_WELL,
        answers={204: Answer(description="It is over.", headers=_LIMITS)},
        errors=_SPOKEN_ERRORS,
        codes=_SPOKEN_CODES,
    )


def _sign_of_life(handler: Handler, operation_id: str, **described: object) -> tuple[Endpoint, ...]:
    both = partial(_public, handler=handler, parameters=(_TOKEN,), **described)
    return (
        both(method="POST", operation_id=operation_id),
        both(method="GET", operation_id=f"{operation_id}ByGet", safe=False),
    )


def ingest(handler: Handler) -> Endpoint:
    """`POST /telemetry/ingest`."""
    return _public(
        method="POST",
        path="/telemetry/ingest",
        handler=handler,
        express=True,
        operation_id="ingest",
        summary="Store what happened in a session.",
        description=_INGESTING + _WHOSE,
        parameters=(_TOKEN, Parameter(name="sentAt", description="When the call was sent, by the client's clock.")),
        body=IngestRequest,
        body_example=_EVENTS,
        body_line=IngestEvent,
        answers={
            200: Answer(description="What became of them.", type=IngestReply, example=_ALL_STORED, headers=_LIMITS),
            400: Answer(description=_USELESS, type=IngestReply, example=_ALL_REFUSED),
        },
        errors=_INGEST_ERRORS,
        codes={401: _TOKEN_CODES, 403: ("consent_withdrawn",)},
        max_body=MOST_BYTES,
    )


def withdraw(handler: Handler) -> Endpoint:
    """`POST /telemetry/withdraw`."""
    return _public(
        method="POST",
        path="/telemetry/withdraw",
        handler=handler,
        operation_id="withdraw",
        summary="The user does not agree any more.",
        description=(
            "Ends the installation's sessions, and refuses whatever comes later until a new start. With `erase`"
            " everything that is stored of it goes in the same moment." + _WHOSE
        ),
        parameters=(_TOKEN,),
        body=WithdrawRequest,
        body_example={"erase": True},
        body_required=False,
        answers={204: Answer(description="It is done.", headers=_LIMITS)},
        errors=(NotFound, Overloaded, RateLimited, Unauthorized, Unavailable),
        codes={401: _TOKEN_CODES, 404: ("unknown_session",)},
        max_body=4 * KIBIBYTE,
    )
