"""The question that every page asks, and the operator's way to try rules out."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
import trio

from pulsekeeper import errors
from pulsekeeper.actors.mailbox import Ref
from pulsekeeper.actors.patience import Patience
from pulsekeeper.clock import Clock
from pulsekeeper.decisions import operations
from pulsekeeper.decisions.decider import Acknowledge, Decide, Message
from pulsekeeper.decisions.numbers import Numbers
from pulsekeeper.decisions.reception import Identity, Reception
from pulsekeeper.decisions.records import NOBODY
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rules.acks import AckRequest
from pulsekeeper.decisions.rules.book import RuleBook, compile_book
from pulsekeeper.decisions.rules.model import (
    DecideReply,
    DecideRequest,
    ReleaseStatus,
    Settings,
    SimulateRequest,
    VisitorState,
)
from pulsekeeper.decisions.rules.people import spread
from pulsekeeper.decisions.rules.simulate import simulate
from pulsekeeper.decisions.store import DecisionStore
from pulsekeeper.ids import uuid7
from pulsekeeper.web.bodies import decode, decode_public
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.limits import Decision as Admission
from pulsekeeper.web.limits import fields
from pulsekeeper.web.wire import Reply, Request, json_reply, no_content

_SOON = 60
"""Seconds after which a page that was shown nothing for want of a decision asks again, at the earliest."""
_states = msgspec.json.Decoder(VisitorState)


class DecisionRoutes:
    """Decode, ask, reply."""

    def __init__(  # noqa: PLR0913  # what the composition root has to hand in
        self,
        *,
        reception: Reception,
        reports: Reception,
        decider: Ref[Message],
        patience: Patience,
        store: DecisionStore,
        rules: RuleStore,
        settings: Settings,
        clock: Clock,
        numbers: Numbers,
    ) -> None:
        self._reception = reception
        self._reports = reports
        self._decider = decider
        self._patience = patience
        self._store = store
        self._rules = rules
        self._settings = settings
        self._budget = settings.budget.total_seconds()
        self._clock = clock
        self._numbers = numbers

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The routes of the room."""
        return (
            operations.decide(self.decide),
            operations.acknowledge(self.acknowledge),
            operations.simulate(self.simulate),
        )

    async def decide(self, request: Request) -> Reply:
        """Answers within the budget, whatever happens behind: at the worst, that there is nothing to show."""
        admitted = self._reception.admit_address(request)
        # Nobody has to be identified, so only the decision can take long, and `patience` sees to that.
        if not request.query_string and request.headers.get("authorization") is None:
            return await self._decide(request, admitted, None)
        with trio.move_on_after(self._budget):  # who they are may take long to find out
            explain = request.first("explain") == "1"
            identity = await self._reception.identity(request, explain=explain)
            return await self._decide(request, admitted, identity, explain=explain)
        return self._degraded("TooSlow", request, admitted)

    async def _decide(
        self,
        request: Request,
        admitted: tuple[Admission, ...],
        identity: Identity | None,
        *,
        explain: bool = False,
    ) -> Reply:
        wanted = decode_public(request, DecideRequest)
        admitted += self._reception.admit_person(wanted.visitor_id)
        asker = self._reception.asker(request, identity, wanted.visitor_id)
        try:
            body = await self._patience.ask(self._decider, Decide(asker, wanted, explain))
        except trio.TooSlowError:
            return self._degraded("TooSlow", request, admitted)
        except (errors.Unavailable, errors.Overloaded) as reason:
            return self._degraded(type(reason).__name__, request, admitted)
        return Reply(status=200, body=body, content_type="application/json", headers=fields(admitted))

    async def acknowledge(self, request: Request) -> Reply:
        """Answers when the report is committed, or says that it could not be: an acknowledgement is a promise."""
        admitted = self._reports.admit_address(request)
        identity = await self._reports.identity(request)
        report = decode_public(request, AckRequest)
        admitted += self._reports.admit_person(report.visitor_id)
        asker = self._reports.asker(request, identity, report.visitor_id)
        if not await self._decider.ask(Acknowledge(asker, report)):
            raise errors.NotFound(f"The campaign {report.campaign_id!r} was never offered to this person.")
        return no_content(fields(admitted))

    async def simulate(self, request: Request) -> Reply:
        """Works with what is in the request alone, where all of it is: then no database is needed."""
        question = decode(request, SimulateRequest, lenient=(DecideRequest,))
        state = await self._stored_state(question.person) if question.state is None else None
        book = await self._book(question)
        # In a thread: compiling many campaigns takes long, and pages must not wait for an operator.
        return json_reply(await trio.to_thread.run_sync(simulate, question, book, state, self._clock()))

    async def _stored_state(self, person_key: str) -> VisitorState | None:
        stored = (await self._store.recall([person_key])).get(person_key, NOBODY)
        return None if stored.state is None else _states.decode(stored.state)

    async def _book(self, question: SimulateRequest) -> RuleBook:
        """The stored rules; an empty book where the question brings its own, which takes its place."""
        policy = self._settings.policy()
        if question.campaigns is not None and question.releases is not None:
            return compile_book((), (), policy)
        parts = await self._rules.rule_book_parts()
        return await trio.to_thread.run_sync(compile_book, parts.campaigns, parts.releases, policy)

    def _degraded(self, cause: str, request: Request, admitted: Sequence[Admission]) -> Reply:
        self._numbers.degraded(cause)
        return json_reply(degraded_reply(self._clock(), request.request_id), headers=fields(admitted))


def degraded_reply(now: datetime, call: str) -> DecideReply:
    """Nothing to show, and ask again soon; not all at the same moment. It is in no log: nothing was decided."""
    return DecideReply(
        decision_id=str(uuid7(now)),
        release_status=ReleaseStatus(latest_release_id=None, already_seen=False),
        decisions=(),
        next_check_in_seconds=round(_SOON * (1 + spread(call) / 5)),
        degraded=True,
    )
