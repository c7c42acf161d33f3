"""`kill -9`: nothing that was answered may be lost with the process."""

from pulsekeeper.postgres.database import Database
from tests.house.parts import counted, crowd, load, logged, until_more
from tests.support.service import running_service


async def test_every_decision_that_was_answered_is_in_the_log_and_in_the_state(
    database_url: str, database: Database
) -> None:
    """Three lives of a node, each ended under load. What was committed and not yet answered may be there as well."""
    answered: list[str] = []
    for _ in range(3):
        with running_service(database_url) as service:
            async with service.client() as client, load([*crowd(6), *crowd(2)], client) as pages:
                await until_more("committed", pages, 60)
                service.kill()
        answered += [answer.reply.decision_id for answer in pages.committed]

    people = await counted(database)
    assert len(people) == 6
    assert all(visits == decisions for visits, decisions in people)
    assert sum(visits for visits, _ in people) >= len(answered) >= 180
    assert set(answered) <= await logged(database)
