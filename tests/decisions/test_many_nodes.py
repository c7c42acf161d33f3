"""Two nodes, two tabs, two hundred visitors: what one of them was offered or has answered, the other knows."""

from collections import Counter
from datetime import timedelta

import msgspec
import trio

from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.decisions.decider import Message
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from tests.support.deciders import deciding, question, report, shown
from tests.support.decisions import NOW, apply, campaign, settings

VISITORS = [f"visitor-{number:04}" for number in range(200)]
CALLS = 20
STATES = inline("select state from visitors")
OFFERS = inline("select person_key, count(*) as offers from impressions where event = 'offered' group by person_key")


async def test_every_visitor_has_one_open_offer_and_what_is_acknowledged_is_never_shown_again(
    database: Database,
) -> None:
    times = [NOW]
    of = settings(patience="20s")
    await apply(RuleStore(database), *(campaign(name, frequency={"lifetime": 1}) for name in ("first", "second")))
    seen: Counter[tuple[str, str]] = Counter()

    async def visit(node: Mailbox[Message], visitor_id: str) -> None:
        for _ in range(CALLS):
            for campaign_id in shown(await node.ref.ask(question(visitor_id))):
                seen[visitor_id, campaign_id] += 1

    async def everybody_visits(*nodes: Mailbox[Message]) -> None:
        async with trio.open_nursery() as nursery:
            for visitor_id in VISITORS:
                for node in nodes:
                    nursery.start_soon(visit, node, visitor_id)

    async with (
        deciding(database, of, lambda: times[0]) as one,
        deciding(database, of, lambda: times[0]) as other,
    ):
        await everybody_visits(one, other)
        assert seen == {(visitor_id, "first"): 1 for visitor_id in VISITORS}
        assert [row["offers"] for row in await database.fetch(OFFERS)] == [1] * len(VISITORS)

        for visitor_id in VISITORS:
            assert await one.ref.ask(report("shown", visitor_id, of="first"))
        times[0] += timedelta(days=40)
        seen.clear()
        await other.ref.ask(question(VISITORS[0]))
        await everybody_visits(other)

    assert {campaign_id for _, campaign_id in seen} <= {"second"}
    states = [msgspec.json.decode(row["state"]) for row in await database.fetch(STATES)]
    assert {len(state["campaigns"]["first"]["shownAt"]) for state in states} == {1}
