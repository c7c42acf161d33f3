"""The question that every page asks, and the operator's way to try rules out."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

import msgspec
import trio

from pulsekeeper import errors
from pulsekeeper.actors.mailbox import Ref
from pulsekeeper.clock import Clock
from pulsekeeper.decisions import operations
from pulsekeeper.decisions.acks import AckRequest
from pulsekeeper.decisions.book import RuleBook, compile_book
from pulsekeeper.decisions.decider import Acknowledge, Decide, Message
from pulsekeeper.decisions.model import (
    DecideReply,
    DecideRequest,
    ReleaseStatus,
    Settings,
    SimulateRequest,
    VisitorState,
)
from pulsekeeper.decisions.numbers import Numbers
from pulsekeeper.decisions.people import Asker
from pulsekeeper.decisions.records import NOBODY
from pulsekeeper.decisions.rule_store import RuleStore
from pulsekeeper.decisions.simulate import simulate
from pulsekeeper.decisions.store import DecisionStore
from pulsekeeper.ids import uuid7
from pulsekeeper.web.bodies import decode, decode_public
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.identity import Authenticator, Scope, bearer
from pulsekeeper.web.limits import Limiter, Policy, admit, fields
from pulsekeeper.web.wire import Header, Reply, Request, json_reply, no_content

_MINUTE = 60.0
_states = msgspec.json.Decoder(VisitorState)


class Identity(Protocol):
    """What a verified ID token says."""

    @property
    def subject(self) -> str:
        """Who it is, for the issuer."""

    @property
    def roles(self) -> tuple[str, ...]:
        """What they may be."""


class Operators(Authenticator, Protocol):
    """Knows who may see explanations."""

    def is_key(self, token: str) -> bool:
        """Whether this can only be an API key, and says nothing about a user."""


Identify = Callable[[str], Awaitable[Identity]]
"""Verifies an ID token. Raises `errors.Unauthorized` for a bad one."""


class DecisionRoutes:
    """Decode, ask, reply."""

    def __init__(  # noqa: PLR0913  # what the composition root has to hand in
        self,
        *,
        decider: Ref[Message],
        store: DecisionStore,
        rules: RuleStore,
        settings: Settings,
        clock: Clock,
        address_of: Callable[[Request], str],
        identify: Identify,
        operators: Operators,
        numbers: Numbers,
    ) -> None:
        self._decider = decider
        self._store = store
        self._rules = rules
        self._settings = settings
        self._clock = clock
        self._address_of = address_of
        self._identify = identify
        self._operators = operators
        self._numbers = numbers
        self._by_address = Limiter(Policy(name="address", quota=settings.calls_per_minute, window=_MINUTE))
        self._by_person = Limiter(Policy(name="person", quota=settings.calls_per_minute, window=_MINUTE))
        self._blinding = secrets.token_bytes(32)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The routes of the room."""
        return (
            operations.decide(self.decide),
            operations.acknowledge(self.acknowledge),
            operations.simulate(self.simulate),
        )

    async def decide(self, request: Request) -> Reply:
        """Answers within the budget, whatever happens behind: at the worst, that there is nothing to show."""
        wanted = decode_public(request, DecideRequest)
        headers = self._admit(request, wanted.visitor_id)
        explain = request.first("explain") == "1"
        if explain:
            await self._require_operator(request)
        body = await self._decided(request, wanted, explain=explain)
        if body is None:
            return json_reply(degraded_reply(self._clock()), headers=headers)
        return Reply(status=200, body=body, content_type="application/json", headers=headers)

    async def acknowledge(self, request: Request) -> Reply:
        """Answers when the report is committed, or says that it could not be: an acknowledgement is a promise."""
        report = decode_public(request, AckRequest)
        headers = self._admit(request, report.visitor_id)
        asker = await self._asker(request, report.visitor_id)
        if not await self._decider.ask(Acknowledge(asker, report)):
            raise errors.NotFound(f"The campaign {report.campaign_id!r} was never offered to this person.")
        return no_content(headers)

    async def simulate(self, request: Request) -> Reply:
        """Works with what is in the request alone, where all of it is: then no database is needed."""
        question = decode(request, SimulateRequest, unknown="ignore")  # a page's request, as `decide` would take it
        state = await self._stored_state(question.person) if question.state is None else None
        return json_reply(simulate(question, await self._book(question), state, self._clock()))

    async def _stored_state(self, person_key: str) -> VisitorState | None:
        stored = (await self._store.recall([person_key])).get(person_key, NOBODY)
        return None if stored.state is None else _states.decode(stored.state)

    async def _book(self, question: SimulateRequest) -> RuleBook:
        """The stored rules; an empty book where the question brings its own, which takes its place."""
        policy = self._settings.policy()
        if question.campaigns is not None and question.releases is not None:
            return compile_book((), (), policy)
        parts = await self._rules.rule_book_parts()
        return compile_book(parts.campaigns, parts.releases, policy)

    async def _decided(self, request: Request, wanted: DecideRequest, *, explain: bool) -> bytes | None:
        """The committed answer, or `None` when there is none within the budget."""
        with trio.move_on_after(self._settings.budget.total_seconds()):
            asker = await self._asker(request, wanted.visitor_id)
            try:
                return await self._decider.ask(Decide(asker, wanted, explain))
            except (errors.Unavailable, errors.Overloaded) as reason:
                self._numbers.degraded(type(reason).__name__)
                return None
        self._numbers.degraded("TooSlow")
        return None

    async def _asker(self, request: Request, visitor_id: str | None) -> Asker:
        identity = await self._identity(request)
        return Asker(
            kind="ip" if visitor_id is None else "visitor",
            value=self._address_of(request) if visitor_id is None else visitor_id,
            subject=None if identity is None else identity.subject,
            roles=() if identity is None else identity.roles,
        )

    async def _identity(self, request: Request) -> Identity | None:
        """Who the ID token says they are. An operator's key says nothing about a visitor."""
        token = bearer(request.headers.get("authorization"))
        if token is None or (request.first("explain") == "1" and self._operators.is_key(token)):
            return None
        return await self._identify(token)

    async def _require_operator(self, request: Request) -> None:
        token = bearer(request.headers.get("authorization"))
        if token is None:
            raise errors.Unauthorized("An explanation needs an admin key: send it as 'Authorization: Bearer <key>'.")
        if not (await self._operators.authenticate(token)).grants(Scope.ADMIN):
            raise errors.Forbidden("An explanation needs an admin key.")

    def _admit(self, request: Request, visitor_id: str | None) -> tuple[Header, ...]:
        asked = [(self._by_address, self._blind(self._address_of(request)))]
        if visitor_id is not None:
            asked.append((self._by_person, self._blind(visitor_id)))
        return fields(admit(asked, trio.current_time()))

    def _blind(self, value: str) -> str:
        """Limits remember keys for a while; addresses are not to be remembered by anyone."""
        return hashlib.blake2b(value.encode(), key=self._blinding, digest_size=16).hexdigest()


def degraded_reply(now: datetime) -> DecideReply:
    """Nothing to show, and ask again soon. It is in no log: nothing was decided."""
    return DecideReply(
        decision_id=str(uuid7(now)),
        release_status=ReleaseStatus(latest_release_id=None, already_seen=False),
        decisions=(),
        next_check_in_seconds=60,
        degraded=True,
    )
