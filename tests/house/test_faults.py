"""The database goes away and comes back: pages are told to show nothing, in time, and nobody has to do anything."""

from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
import trio

from pulsekeeper.postgres.database import open_database
from tests.house.parts import DECIDE, Answer, Load, ask, counted, crowd, load, logged, tree_of, until_more
from tests.support.postgres import ServerProcess, settings_for
from tests.support.service import Service, running_service, starting_service

BUDGET = 80 + 1000
"""Milliseconds that a page may have to wait, whatever happens; far less than the database's own limits, but for a core
that other tests use as well."""


def check_degraded(answers: Sequence[Answer]) -> None:
    """All of them say that there is nothing to show, and to come back soon."""
    assert {answer.status for answer in answers} == {200}
    assert {answer.reply.decisions for answer in answers} == {()}
    assert all(60 <= answer.reply.next_check_in_seconds <= 72 for answer in answers)


def check_budget(service: Service, degraded: Sequence[Answer]) -> None:
    """Every one of them by the clock of the node, as its log has it: the pages here have to wait for each other."""
    waits = {line.request_id: line.milliseconds for line in service.log_lines() if line.route == DECIDE}
    assert {answer.request_id for answer in degraded if waits[answer.request_id] > BUDGET} == set()


async def check_unharmed(client: httpx.AsyncClient) -> None:
    """No actor had to be restarted."""
    assert {path: node.restarts for path, node in (await tree_of(client)).items() if node.restarts} == {}


async def test_without_a_database_at_the_start_it_stays_up_and_begins_by_itself(fragile_server: ServerProcess) -> None:
    fragile_server.kill()
    with starting_service(fragile_server.url) as service:
        async with service.client() as client:
            alive, ready = await client.get("/healthz"), await client.get("/readyz")
            degraded = [await ask(client, visitor) for visitor in crowd(20)]
            fragile_server.start()
            service.wait_ready()
            committed = await ask(client, "visitor-late")
            await check_unharmed(client)
        check_budget(service, degraded)

    assert alive.status_code == 200
    assert ready.status_code == 503
    assert "the database is not reached, or its schema is not up to date" in ready.json()["reasons"]
    assert not any(answer.committed for answer in degraded)
    check_degraded(degraded)
    assert committed.committed


@pytest.fixture
async def under_load(fragile_server: ServerProcess) -> AsyncIterator[tuple[Load, httpx.AsyncClient]]:
    """Pages ask a node without a pause; in the end all is well again, and nothing that was promised is missing."""
    with running_service(fragile_server.url) as service:
        async with service.client() as client:
            async with load(crowd(8), client) as pages:
                await until_more("committed", pages, 50)
                yield pages, client
                await until_more("committed", pages, 50)
            await check_unharmed(client)
        check_budget(service, pages.degraded)
        async with open_database(settings_for(fragile_server.url)) as database:
            assert {answer.reply.decision_id for answer in pages.committed} <= await logged(database)
            assert all(visits == decisions for visits, decisions in await counted(database))
    assert pages.lost == 0
    check_degraded(pages.degraded)


async def test_a_database_that_is_killed_is_waited_for(
    fragile_server: ServerProcess, under_load: tuple[Load, httpx.AsyncClient]
) -> None:
    pages, _ = under_load

    await trio.to_thread.run_sync(fragile_server.kill)
    await until_more("degraded", pages, 100)
    await trio.to_thread.run_sync(fragile_server.start)


async def test_a_database_that_hangs_is_waited_for(
    fragile_server: ServerProcess, under_load: tuple[Load, httpx.AsyncClient]
) -> None:
    pages, _ = under_load

    fragile_server.pause()
    await until_more("degraded", pages, 100)
    fragile_server.resume()
