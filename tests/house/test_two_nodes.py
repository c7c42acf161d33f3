"""Two nodes on one database: it is the referee, and neither of them is in charge."""

from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from tests.house.parts import counted, load, shown, until_more
from tests.support.decisions import apply, campaign
from tests.support.service import starting_service

OFFERS = inline("select (state -> 'campaigns' -> 'hello' ->> 'offers')::int from visitors")


async def test_the_same_visitor_on_both_is_counted_exactly_and_offered_once(
    database_url: str, database: Database
) -> None:
    await apply(RuleStore(database), campaign("hello"))
    patient = {"decisions__budget": "20s", "decisions__patience": "20s"}
    with starting_service(database_url, **patient) as first, starting_service(database_url, **patient) as second:
        first.wait_ready()
        second.wait_ready()
        async with (
            first.client() as one,
            second.client() as other,
            load(["visitor-on-both"] * 4, one) as left,
            load(["visitor-on-both"] * 4, other) as right,
        ):
            await until_more("committed", left, 50)
            await until_more("committed", right, 50)

    answers = [*left.committed, *right.committed]
    assert (left.lost, right.lost) == (0, 0)
    assert (left.degraded, right.degraded) == ([], [])
    assert min(len(left.committed), len(right.committed)) >= 50
    assert await counted(database) == [(len(answers), len(answers))]
    assert sorted(map(shown, answers))[-2:] == [[], ["hello"]]
    assert await database.fetch_value(OFFERS) == 1
