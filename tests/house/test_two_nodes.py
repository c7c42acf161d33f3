"""Two nodes on one database: it is the referee, and neither of them is in charge."""

from pulsekeeper.decisions.rule_store import RuleStore
from pulsekeeper.postgres.database import Database
from tests.house.parts import counted, load, shown, until_more
from tests.support.decisions import apply, campaign
from tests.support.service import starting_service


async def test_the_same_visitor_on_both_is_counted_exactly_and_offered_once(
    database_url: str, database: Database
) -> None:
    await apply(RuleStore(database), campaign("hello"))
    patient = {"decisions__budget": "20s", "decisions__patience": "20s"}
    with starting_service(database_url, **patient) as first, starting_service(database_url, **patient) as second:
        first.wait_ready()
        second.wait_ready()
        async with first.client() as one, second.client() as other, load(["visitor-on-both"] * 4, one, other) as pages:
            await until_more("committed", pages, 200)

    assert pages.lost == 0
    assert pages.degraded == []
    assert await counted(database) == [(len(pages.committed), len(pages.committed))]
    assert sorted(map(shown, pages.committed))[-2:] == [[], ["hello"]]
