"""The routes with a decider that notes what it is asked and answers as it is told."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import msgspec
import pytest
import trio
from prometheus_client import CollectorRegistry, generate_latest
from trio.testing import MockClock

from pulsekeeper import errors
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.actors.patience import Patience
from pulsekeeper.decisions.decider import Message
from pulsekeeper.decisions.numbers import Numbers
from pulsekeeper.decisions.reception import Reception
from pulsekeeper.decisions.routes import DecisionRoutes
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rules.acks import AckRequest
from pulsekeeper.decisions.rules.people import Asker
from pulsekeeper.decisions.store import DecisionStore
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.web.identity import Scope
from pulsekeeper.web.problems import RateLimited, UnsupportedMediaType
from pulsekeeper.web.wire import Headers, Reply, Request
from tests.support.decisions import NOW, apply, campaign, settings

USER_TOKEN = "user.token.x"  # of the form of a JWT
SCOPES = {"an-admin-key": Scope.ADMIN, "a-worker-key": Scope.WORKER}
ANSWER = b'{"decisions":[]}'


class Person(NamedTuple):
    subject: str
    roles: tuple[str, ...]


class Desk:
    """A mailbox with a clerk behind it."""

    def __init__(self, capacity: int = 10) -> None:
        self.mailbox: Mailbox[Message] = Mailbox("decider", capacity)
        self.asked: list[Message] = []
        self.patience = Patience(settings().budget.total_seconds())
        self.registry = CollectorRegistry()
        self.answer: bytes | bool | Exception | None = ANSWER
        """`None`: none is ever given."""

    async def identify(self, token: str) -> Person:
        if token != USER_TOKEN:
            raise errors.Unauthorized("bad token")
        return Person("ann", ("organizer",))

    def is_key(self, token: str) -> bool:
        return token != USER_TOKEN

    async def authenticate(self, token: str) -> Scope:
        if token not in SCOPES:
            raise errors.Unauthorized("unknown key")
        return SCOPES[token]

    async def work(self) -> None:
        while True:
            question = await self.mailbox.take()
            self.asked.append(question)
            if isinstance(self.answer, Exception):
                question.fail(self.answer)
            elif self.answer is not None:
                question.reply(self.answer)  # type: ignore[arg-type]  # the test knows what it asks

    def reception(self, calls_per_minute: int) -> Reception:
        return Reception(
            address_of=lambda request: request.peer,
            identify=self.identify,
            operators=self,
            calls_per_minute=calls_per_minute,
        )

    def routes(self, database: Database | None = None, **changes: Any) -> DecisionRoutes:
        return DecisionRoutes(
            reception=self.reception(settings(**changes).calls_per_minute),
            reports=self.reception(settings(**changes).calls_per_minute),
            decider=self.mailbox.ref,
            patience=self.patience,
            store=DecisionStore(database),  # type: ignore[arg-type]  # without one, it must not be used
            rules=RuleStore(database),  # type: ignore[arg-type]  # the same
            settings=settings(**changes),
            clock=lambda: NOW,
            numbers=Numbers(self.registry),
        )

    def degraded(self) -> list[str]:
        lines = generate_latest(self.registry).decode().splitlines()
        return [line for line in lines if line.startswith("pulsekeeper_decisions_degraded_total")]


@pytest.fixture
async def desk(nursery: trio.Nursery) -> AsyncIterator[Desk]:
    desk = Desk()
    nursery.start_soon(desk.work)
    nursery.start_soon(desk.patience.keep)
    yield desk
    nursery.cancel_scope.cancel()


def post(body: object, peer: str = "192.0.2.1", **headers: str) -> Request:
    given = {"content-type": "application/json", **headers}
    raw = [(name.encode(), value.encode()) for name, value in given.items()]
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Request(method="POST", path="/", headers=Headers(raw), body=content, peer=peer)


def asking_why(key: str) -> Request:
    question = post({"releaseId": "1.0"}, authorization=f"Bearer {key}")
    return msgspec.structs.replace(question, query_string=b"explain=1")


def is_degraded(reply: Reply) -> bool:
    body = msgspec.json.decode(reply.body)
    return bool(
        reply.status == 200 and body["degraded"] and body["decisions"] == [] and 60 <= body["nextCheckInSeconds"] <= 72
    )


async def test_the_deciders_answer_goes_out_as_it_is(desk: Desk) -> None:
    reply = await desk.routes().decide(post({"releaseId": "1.0"}))

    assert (reply.status, reply.body) == (200, ANSWER)


async def test_a_browser_with_an_id_is_known_by_it_and_one_without_by_its_address(desk: Desk) -> None:
    routes = desk.routes()
    await routes.decide(post({"releaseId": "1.0", "visitorId": "browser-1"}))
    await routes.decide(post({"releaseId": "1.0"}))

    assert [(each.asker.kind, each.asker.value) for each in desk.asked] == [
        ("visitor", "browser-1"),
        ("ip", "192.0.2.1"),
    ]


async def test_unknown_members_are_ignored_and_text_plain_is_read(desk: Desk) -> None:
    body = {"releaseId": "1.0", "somethingNew": {"a": 1}}

    assert (await desk.routes().decide(post(body, **{"content-type": "text/plain"}))).status == 200


async def test_another_content_type_is_refused(desk: Desk) -> None:
    with pytest.raises(UnsupportedMediaType):
        await desk.routes().decide(post({"releaseId": "1.0"}, **{"content-type": "application/xml"}))


async def test_all_faults_are_told(desk: Desk) -> None:
    with pytest.raises(errors.Invalid) as refusal:
        await desk.routes().decide(post({"releaseId": 7, "timezoneOffset": "west"}))

    assert {fault.pointer for fault in refusal.value.faults} == {"/releaseId", "/timezoneOffset"}
    assert desk.asked == []


async def test_a_user_is_known_by_their_token_and_keeps_the_browser_that_they_use(desk: Desk) -> None:
    await desk.routes().decide(
        post({"releaseId": "1.0", "visitorId": "browser-1"}, authorization=f"Bearer {USER_TOKEN}")
    )

    [question] = desk.asked
    assert question.asker == Asker(kind="visitor", value="browser-1", subject="ann", roles=("organizer",))


async def test_a_bad_token_is_not_taken_for_nobody(desk: Desk) -> None:
    routes = desk.routes()
    for header in ("Bearer x.y.z", "Basic abc", "Bearer an-admin-key"):
        with pytest.raises(errors.Unauthorized):
            await routes.decide(post({"releaseId": "1.0"}, authorization=header))
    assert desk.asked == []


async def test_roles_are_not_taken_from_the_attributes(desk: Desk) -> None:
    await desk.routes().decide(post({"releaseId": "1.0", "attributes": {"roles": ["organizer"]}}))

    assert desk.asked[0].asker.roles == ()


async def test_an_explanation_is_for_operators(desk: Desk) -> None:
    routes = desk.routes()
    question = post({"releaseId": "1.0"})
    with pytest.raises(errors.Unauthorized):
        await routes.decide(msgspec.structs.replace(question, query_string=b"explain=1"))
    with pytest.raises(errors.Forbidden):
        await routes.decide(asking_why("a-worker-key"))

    await routes.decide(asking_why("an-admin-key"))
    assert [(each.explain, each.asker.subject) for each in desk.asked] == [(True, None)]


async def test_a_report_is_answered_when_it_is_stored(desk: Desk) -> None:
    desk.answer = True

    reply = await desk.routes().acknowledge(post({"campaignId": "hello", "outcome": "shown", "visitorId": "browser-1"}))

    assert (reply.status, reply.body) == (204, b"")
    assert desk.asked[0].what == AckRequest(campaign_id="hello", outcome="shown", visitor_id="browser-1")


async def test_a_report_of_what_was_never_offered_is_not_found(desk: Desk) -> None:
    desk.answer = False

    with pytest.raises(errors.NotFound):
        await desk.routes().acknowledge(post({"campaignId": "hello", "outcome": "shown"}))


async def test_a_report_that_cannot_be_stored_is_refused_and_not_lost_in_silence(desk: Desk) -> None:
    desk.answer = errors.Unavailable("gone")

    with pytest.raises(errors.Unavailable):
        await desk.routes().acknowledge(post({"campaignId": "hello", "outcome": "shown"}))


async def test_an_outcome_that_nobody_knows_is_refused(desk: Desk) -> None:
    with pytest.raises(errors.Invalid) as refusal:
        await desk.routes().acknowledge(post({"campaignId": "hello", "outcome": "seen"}))

    assert [fault.pointer for fault in refusal.value.faults] == ["/outcome"]


async def test_an_answer_that_does_not_come_within_the_budget_is_nothing_to_show(
    desk: Desk, autojump_clock: MockClock
) -> None:
    desk.answer = None
    before = trio.current_time()

    reply = await desk.routes(budget="80ms").decide(post({"releaseId": "1.0"}))

    assert is_degraded(reply)
    assert trio.current_time() - before == pytest.approx(0.08)
    assert desk.degraded() == ['pulsekeeper_decisions_degraded_total{cause="TooSlow"} 1.0']


async def test_an_outage_is_nothing_to_show(desk: Desk) -> None:
    desk.answer = errors.Unavailable("gone")

    assert is_degraded(await desk.routes().decide(post({"releaseId": "1.0"})))
    assert desk.degraded() == ['pulsekeeper_decisions_degraded_total{cause="Unavailable"} 1.0']


async def test_a_full_mailbox_is_nothing_to_show() -> None:
    desk = Desk(capacity=0)

    assert is_degraded(await desk.routes().decide(post({"releaseId": "1.0"})))
    assert desk.degraded() == ['pulsekeeper_decisions_degraded_total{cause="MailboxFull"} 1.0']


async def test_a_minute_has_as_many_calls_as_are_allowed_for_an_address_and_for_a_person(
    desk: Desk, autojump_clock: MockClock
) -> None:
    routes = desk.routes(calls_per_minute=3)
    by_address = {"releaseId": "1.0"}
    for _ in range(3):
        await routes.decide(post(by_address))

    with pytest.raises(RateLimited) as refusal:
        await routes.decide(post(by_address))
    assert refusal.value.retry_after == pytest.approx(20.0)
    assert (await routes.decide(post(by_address, peer="192.0.2.2"))).status == 200


async def test_a_person_is_limited_wherever_they_are(desk: Desk) -> None:
    routes = desk.routes(calls_per_minute=3)
    body = {"releaseId": "1.0", "visitorId": "browser-1"}
    for number in range(3):
        await routes.decide(post(body, peer=f"192.0.2.{number}"))

    with pytest.raises(RateLimited):
        await routes.decide(post(body, peer="192.0.2.99"))


async def test_the_limits_are_told(desk: Desk) -> None:
    reply = await desk.routes().decide(post({"releaseId": "1.0", "visitorId": "browser-1"}))

    assert dict(reply.headers) == {
        "RateLimit-Policy": '"address";q=60;w=60, "person";q=60;w=60',
        "RateLimit": '"address";r=59;t=1, "person";r=59;t=1',
    }


async def simulated(routes: DecisionRoutes, **members: Any) -> Any:
    reply = await routes.simulate(post({"request": {"releaseId": "1.0"}, **members}))
    return msgspec.json.decode(reply.body)


async def test_a_simulation_of_given_rules_needs_no_database(desk: Desk) -> None:
    hello = {"id": "hello", "type": "onboarding", "action": "SHOW_BANNER"}
    state = {"lastSeenAt": "2026-03-01T00:00:00Z"}

    answer = await simulated(desk.routes(), campaigns=[hello], releases=[], state=state, now="2026-03-10T00:00:00Z")

    assert answer["evaluated"] == [{"campaignId": "hello", "verdict": "shown", "reason": "matched"}]
    assert answer["stateAfter"]["lastSeenAt"] == "2026-03-10T00:00:00Z"


async def test_a_simulation_takes_what_is_stored_and_changes_nothing(database: Database) -> None:
    store = DecisionStore(database)
    await apply(RuleStore(database), campaign("hello"))
    await store.put_visitor("visitor:ann", NOW, b'{"lastSeenAt": "2026-03-09T12:00:00Z", "visits": {"total": 4}}')

    answer = await simulated(Desk().routes(database), person="visitor:ann")

    assert [shown["campaignId"] for shown in answer["decisions"]] == ["hello"]
    assert answer["stateAfter"]["visits"]["total"] == 5
    assert await database.fetch_value(inline("select count(*) from decision_log")) == 0
    assert (await store.recall(["visitor:ann"]))["visitor:ann"].version == 1


async def test_a_simulation_with_wrong_campaigns_tells_all_their_faults(desk: Desk) -> None:
    wrong = {"id": "a/b", "type": "onboarding", "action": "SHOW_BANNER", "rollout": {"percent": 101}}

    with pytest.raises(errors.Invalid) as refusal:
        await simulated(desk.routes(), campaigns=[wrong])

    assert {fault.pointer for fault in refusal.value.faults} == {"/campaigns/0/id", "/campaigns/0/rollout/percent"}


async def test_who_may_not_ask_any_more_may_still_report(desk: Desk) -> None:
    """Dismissals behind one office address were lost, and the dialogs came back."""
    routes = desk.routes(calls_per_minute=1)
    await routes.decide(post({"releaseId": "1.0"}))
    desk.answer = True

    assert (await routes.acknowledge(post({"campaignId": "hello", "outcome": "dismissed"}))).status == 204


async def test_an_issuer_that_does_not_answer_costs_no_more_than_the_budget(
    desk: Desk, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: str) -> Person:
        await trio.sleep_forever()
        raise AssertionError("unreachable")

    monkeypatch.setattr(desk, "identify", never)
    before = trio.current_time()

    reply = await desk.routes(budget="80ms").decide(post({"releaseId": "1.0"}, authorization=f"Bearer {USER_TOKEN}"))

    assert is_degraded(reply)
    assert trio.current_time() - before == pytest.approx(0.08)
    assert desk.asked == []


async def test_keys_that_cannot_be_looked_up_cost_no_more_than_the_budget(
    desk: Desk, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: str) -> Scope:
        await trio.sleep_forever()
        raise AssertionError("unreachable")

    monkeypatch.setattr(desk, "authenticate", never)
    before = trio.current_time()

    assert is_degraded(await desk.routes(budget="80ms").decide(asking_why("an-admin-key")))
    assert trio.current_time() - before == pytest.approx(0.08)


async def test_an_issuer_and_a_decider_that_are_slow_share_the_budget(
    desk: Desk, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(_: str) -> Person:
        await trio.sleep(0.05)
        return Person("ann", ())

    monkeypatch.setattr(desk, "identify", slow)
    desk.answer = None
    before = trio.current_time()

    assert is_degraded(
        await desk.routes(budget="80ms").decide(post({"releaseId": "1.0"}, authorization=f"Bearer {USER_TOKEN}"))
    )
    assert trio.current_time() - before == pytest.approx(0.08)


async def test_the_budget_is_kept_by_the_next_timekeeper_as_well(autojump_clock: MockClock) -> None:
    """Who asked while there was one is answered when there is another, and in time if that is in time."""
    desk, waited = Desk(), list[float]()
    routes = desk.routes(budget="80ms")

    async def ask() -> None:
        before = trio.current_time()
        assert is_degraded(await routes.decide(post({"releaseId": "1.0"})))
        waited.append(trio.current_time() - before)

    async with trio.open_nursery() as nursery:
        with trio.move_on_after(0.05):
            nursery.start_soon(ask)
            await desk.patience.keep()
        nursery.start_soon(ask)
        nursery.start_soon(desk.patience.keep)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()

    assert waited == pytest.approx([0.08, 0.08])
