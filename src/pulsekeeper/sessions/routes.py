"""What a client says: that its session begins, goes on and ends, what happened in it, and that its user has left."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from pulsekeeper import errors
from pulsekeeper.actors.mailbox import Ref
from pulsekeeper.clock import Clock
from pulsekeeper.ids import uuid7
from pulsekeeper.sessions import operations
from pulsekeeper.sessions.backlog import Backlog
from pulsekeeper.sessions.judging import Judge
from pulsekeeper.sessions.model import Settings, StartReply, StartRequest, WithdrawRequest
from pulsekeeper.sessions.numbers import Numbers
from pulsekeeper.sessions.packing import Call, unpack
from pulsekeeper.sessions.reception import Reception
from pulsekeeper.sessions.recorder import Message, Speak, Start, Withdraw
from pulsekeeper.sessions.records import Claims, Heard, Opening, Speech, Standing
from pulsekeeper.sessions.verdicts import ingest_reply
from pulsekeeper.web.bodies import decode_public
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.query import decode_public_query
from pulsekeeper.web.wire import Header, Reply, Request, json_reply, no_content
from pulsekeeper.zones import zone_named

T = TypeVar("T")
Sign = Callable[[Claims], Awaitable[str]]
"""The token that says this. Raises `errors.Unavailable` before there are keys."""


class _Statement(Struct):
    """What a query says of consent: a refusal counts wherever it stands, also beside a body."""

    consent: bool = True


class SessionRoutes:
    """Decode, ask, reply."""

    def __init__(  # noqa: PLR0913  # what the composition root has to hand in
        self,
        *,
        reception: Reception,
        sign: Sign,
        recorder: Ref[Message],
        settings: Settings,
        clock: Clock,
        numbers: Numbers,
    ) -> None:
        self._reception = reception
        self._sign = sign
        self._recorder = recorder
        self._settings = settings
        self._clock = clock
        self._numbers = numbers
        self._judge = Judge(settings)
        self._backlog = Backlog(settings.in_flight)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The routes of the room."""
        return (
            *operations.start(self.start),
            *operations.still_alive(self.still_alive),
            *operations.end(self.end),
            operations.ingest(self.ingest),
            operations.withdraw(self.withdraw),
        )

    async def start(self, request: Request) -> Reply:
        """Answers when the session and the consent are committed."""
        limits = self._reception.admit_start(request)
        wanted = _said(request, StartRequest)
        if not (wanted.consent and decode_public_query(request, _Statement).consent):
            raise errors.Forbidden("Nothing is recorded of who has not agreed to it.", code="consent_required")
        claims = await self._started(_opening(wanted, self._clock()))
        reply = StartReply(
            session_id=claims.session_id,
            token=await self._sign(claims),
            installation_id=claims.installation_id,
            still_alive_seconds=round(self._settings.still_alive.total_seconds()),
            timeout_seconds=round(self._settings.timeout.total_seconds()),
        )
        return json_reply(reply, status=201, headers=limits)

    async def still_alive(self, request: Request) -> Reply:
        """A session that is over is not woken up again: its client is told to start another one."""
        now = self._clock()
        claims, limits = await self._caller(request, now, self._settings.max_length)
        heard = await self._heard(Speech(claims=claims, at=now))
        if heard.standing is Standing.ENDED or heard.standing is Standing.TOO_LATE:
            raise errors.Conflict("The session is over: start a new one.", code="session_ended")
        return no_content(limits)

    async def end(self, request: Request) -> Reply:
        """What is over already is over as well."""
        now = self._clock()
        claims, limits = await self._caller(request, now, self._settings.max_length)
        await self._heard(Speech(claims=claims, at=now, ends=True))
        return no_content(limits)

    async def ingest(self, request: Request) -> Reply:
        """Answers when everything that is good is committed. A call without anything good is a sign of life as well."""
        now = self._clock()
        claims, limits = await self._caller(request, now, self._settings.token_lifetime)
        with self._backlog.hold(len(request.body)):
            call = _unpacked(request)
            with self._backlog.hold(max(0, _size(call) - len(request.body))):
                judged = self._judge(call, now)
                heard = await self._spoken(Speech(claims=claims, at=now, events=judged.events, acted=judged.acted))
                reply = ingest_reply(judged, heard)
        self._numbers.refused(refusal.reason for refusal in reply.rejected)
        is_useless = bool(reply.rejected) and not (reply.accepted or reply.duplicates)
        return json_reply(reply, status=400 if is_useless else 200, headers=limits)

    async def withdraw(self, request: Request) -> Reply:
        """Answers when it is committed, the erasure included."""
        now = self._clock()
        claims, limits = await self._caller(request, now, self._settings.token_lifetime)
        erase = _said(request, WithdrawRequest).erase
        if await self._recorder.ask(Withdraw(claims, erase, now)) is Standing.UNKNOWN:
            raise _unknown()
        return no_content(limits)

    async def _started(self, opening: Opening) -> Claims:
        claims = Claims(opening.otherwise, opening.session_id, opening.at)
        await self._sign(claims)  # where there are no keys yet, nothing is begun that nobody could go on with
        return msgspec.structs.replace(claims, installation_id=await self._recorder.ask(Start(opening)))

    async def _caller(self, request: Request, now: datetime, lifetime: timedelta) -> tuple[Claims, tuple[Header, ...]]:
        """Who speaks, if they may, with the headers that say how often they may again."""
        claims = await self._reception.claims(request, now, lifetime)
        return claims, self._reception.admit_call(claims)

    async def _heard(self, speech: Speech) -> Heard:
        """Raises `NotFound` for a session that there is not, beside what `_spoken` raises."""
        heard = await self._spoken(speech)
        if heard.standing is Standing.UNKNOWN:
            raise _unknown()
        return heard

    async def _spoken(self, speech: Speech) -> Heard:
        """Raises `Forbidden` where the consent was taken back, `Unavailable` or `Overloaded` if it is not stored."""
        heard = await self._recorder.ask(Speak(speech))
        if heard.standing is Standing.WITHDRAWN:
            detail = "The consent was withdrawn. Nothing is recorded any more, unless a new session is started."
            raise errors.Forbidden(detail, code="consent_withdrawn")
        return heard


def _said(request: Request, to: type[T]) -> T:
    """What the client says in the body, or in the query where there is none."""
    return decode_public(request, to) if request.body.strip() else decode_public_query(request, to)


def _opening(wanted: StartRequest, now: datetime) -> Opening:
    """Ids are made here, never by clients. A zone that nobody knows says nothing, so it is left out."""
    return Opening(
        at=now,
        session_id=uuid7(now),
        known_as=_id(wanted.installation_id),
        otherwise=uuid4(),
        consent_version=wanted.consent_version or None,
        app_version=wanted.app_version or None,
        platform=wanted.platform or None,
        timezone=wanted.timezone if wanted.timezone and zone_named(wanted.timezone) else None,
        replace=wanted.replace,
    )


def _id(said: object) -> UUID | None:
    try:
        return msgspec.convert(said, UUID | None)
    except msgspec.ValidationError:
        return None


def _unpacked(request: Request) -> Call:
    headers = request.headers
    content_type, encoding = headers.get("content-type") or "", headers.get("content-encoding") or ""
    return unpack(request.body, content_type, encoding, request.first("sentAt"))


def _size(call: Call) -> int:
    return sum(map(len, call.members))


def _unknown() -> errors.NotFound:
    return errors.NotFound("There is no such session: start a new one.", code="unknown_session")
