"""The question that every page asks, and the operator's way to try rules out."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime

import msgspec
import trio

from pulsekeeper import errors
from pulsekeeper.actors.mailbox import Ref
from pulsekeeper.clock import Clock
from pulsekeeper.decisions import operations
from pulsekeeper.decisions.book import RuleBook, compile_book
from pulsekeeper.decisions.decider import Decide
from pulsekeeper.decisions.model import (
    DecideReply,
    DecideRequest,
    ReleaseStatus,
    Settings,
    SimulateRequest,
    VisitorState,
)
from pulsekeeper.decisions.numbers import Numbers
from pulsekeeper.decisions.records import NOBODY
from pulsekeeper.decisions.rule_store import RuleStore
from pulsekeeper.decisions.simulate import simulate
from pulsekeeper.decisions.store import DecisionStore
from pulsekeeper.ids import uuid7
from pulsekeeper.web.bodies import decode, decode_public
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.limits import Limiter, Policy, admit, fields
from pulsekeeper.web.wire import Header, Reply, Request, json_reply

_MINUTE = 60.0
_states = msgspec.json.Decoder(VisitorState)


class DecisionRoutes:
    """Decode, ask, reply."""

    def __init__(  # noqa: PLR0913  # what the composition root has to hand in
        self,
        *,
        decider: Ref[Decide],
        store: DecisionStore,
        rules: RuleStore,
        settings: Settings,
        clock: Clock,
        address_of: Callable[[Request], str],
        numbers: Numbers,
    ) -> None:
        self._decider = decider
        self._store = store
        self._rules = rules
        self._settings = settings
        self._clock = clock
        self._address_of = address_of
        self._numbers = numbers
        self._by_address = Limiter(Policy(name="address", quota=settings.calls_per_minute, window=_MINUTE))
        self._by_person = Limiter(Policy(name="person", quota=settings.calls_per_minute, window=_MINUTE))
        self._blinding = secrets.token_bytes(32)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The routes of the room."""
        return (operations.decide(self.decide), operations.simulate(self.simulate))

    async def decide(self, request: Request) -> Reply:
        """Answers within the budget, whatever happens behind: at the worst, that there is nothing to show."""
        if request.headers.get("authorization") is not None:
            raise errors.Unauthorized("No issuer of ID tokens is configured here: leave the Authorization header out.")
        address = self._address_of(request)
        wanted = decode_public(request, DecideRequest)
        headers = self._admit(address, wanted.visitor_id)
        question = (
            Decide("ip", address, wanted) if wanted.visitor_id is None else Decide("visitor", wanted.visitor_id, wanted)
        )
        body = await self._ask(question)
        if body is None:
            return json_reply(degraded_reply(self._clock()), headers=headers)
        return Reply(status=200, body=body, content_type="application/json", headers=headers)

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

    async def _ask(self, question: Decide) -> bytes | None:
        """The committed answer, or `None` when there is none within the budget."""
        with trio.move_on_after(self._settings.budget.total_seconds()):
            try:
                return await self._decider.ask(question)
            except (errors.Unavailable, errors.Overloaded) as reason:
                self._numbers.degraded(type(reason).__name__)
                return None
        self._numbers.degraded("TooSlow")
        return None

    def _admit(self, address: str, visitor_id: str | None) -> tuple[Header, ...]:
        asked = [(self._by_address, self._blind(address))]
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
