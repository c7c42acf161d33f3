"""The peers answer as what they are taken for; how fast they are is of no interest here."""

import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio

from benchmarks import measuring, rivals, servers
from benchmarks.measuring import Plan
from benchmarks.peers import cache, fastapi_peer, limit, running
from benchmarks.peers.running import Candidate, Peer, Program, Server, Setting
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from tests.support.postgres import ServerProcess, database_of, fast_folder, run_sql, unique_name

_INSTALLING = 15.0
_PLAN = Plan(
    seconds=0.02,
    rounds=2,
    visitors=10,
    connections=(1, 3),
    # the rest says nothing to this stage
    campaigns=(10,),
    events=1,
    sessions=1,
    log_rows=1,
    steps=1,
    nodes=(1,),
)
_DECIDE = "/api/experience/decide"


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where everything is put that is needed for a while."""
    with fast_folder() as folder:
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        yield folder


@pytest.fixture(scope="module")
def python() -> Path:
    """Has the libraries of the FastAPI application, which are kept for the next time."""
    try:
        return trio.run(_install)
    except (servers.ServerFailed, trio.TooSlowError) as failure:
        pytest.skip(f"its packages cannot be had within {_INSTALLING:.0f} seconds. {failure}")


async def _install() -> Path:
    with trio.fail_after(_INSTALLING):
        return await cache.python()


@pytest.fixture
def empty_database(postgres_server: ServerProcess) -> Iterator[str]:
    """The URL of a database without tables."""
    name = unique_name("p")
    run_sql(postgres_server.admin_url, f"create database {name}")
    yield database_of(postgres_server.admin_url, name)
    run_sql(postgres_server.admin_url, f"drop database {name} with (force)")


@asynccontextmanager
async def talking_to(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.origin, trust_env=False) as client:
        yield client


def question(visitor_id: str) -> dict[str, object]:
    return {
        "releaseId": "2026.3.0",
        "visitorId": visitor_id,
        "timezone": "Europe/Berlin",
        "featureFlags": ["calendar", "search"],
        "attributes": {"deviceType": "laptop", "region": "US-MA"},
    }


async def visits(database: Database) -> list[tuple[int, int]]:
    """The version and the logged decisions of every visitor."""
    rows = await database.fetch(
        inline("select version, (select count(*) from decision_log where person_key = v.person_key) from visitors as v")
    )
    return [(row["version"], row["count"]) for row in rows]


async def test_the_echo_answers_every_request_whole_or_in_pieces(folder: Path) -> None:
    request = b"POST / HTTP/1.1\r\nHost: benchmark\r\nContent-Length: 2\r\n\r\n{}"
    async with limit.open_echo(Setting(folder=folder, url="", visitors=1)) as echo:
        stream = await trio.open_tcp_stream(*echo.target.addresses[0])
        answers = []
        for pieces in ([request], [request[:20], request[20:]], [request + request]):
            for piece in pieces:
                await stream.send_all(piece)
                await trio.sleep(0.01)
            answers.append(await stream.receive_some())
        await stream.aclose()

    one = answers[0]
    assert one.startswith(b"HTTP/1.1 200 OK\r\n")
    assert echo.target.expected in one
    assert answers == [one, one, one + one]


async def test_a_visitor_of_the_fastapi_peer_is_decided_for_remembered_and_logged(
    python: Path, empty_database: str, folder: Path
) -> None:
    async with (
        fastapi_peer.serving(python, empty_database, folder) as server,
        talking_to(server) as client,
        servers.connected(empty_database) as database,
    ):
        first = await client.post(_DECIDE, json=question("somebody"))
        second = await client.post(_DECIDE, json=question("somebody"))
        twice = await visits(database)
        await database.execute(
            inline("""update visitors set state = state || '{"last_seen_at": "2026-01-01T00:00:00Z"}'""")
        )
        returning = (await client.post(_DECIDE, json=question("somebody"))).json()
        refused = await client.post(_DECIDE, json=question("?"))
        reasons = await database.fetch_value(
            inline("select reasons ->> 'campaign-6' from decision_log order by decided_at desc limit 1")
        )

    assert first.json()["decisions"] == second.json()["decisions"] == []
    assert first.json()["releaseStatus"] == {"latestReleaseId": "2026.3.0", "alreadySeen": True}
    assert first.json()["decisionId"] != second.json()["decisionId"]
    assert twice == [(2, 2)]
    assert [each["campaignId"] for each in returning["decisions"]] == ["campaign-6"]
    assert reasons == "due"
    assert refused.status_code == 422


async def test_calls_at_once_for_one_visitor_of_the_fastapi_peer_lose_no_update(
    python: Path, empty_database: str, folder: Path
) -> None:
    statuses: list[int] = []

    async def call(client: httpx.AsyncClient) -> None:
        statuses.append((await client.post(_DECIDE, json=question("somebody"))).status_code)

    async with (
        fastapi_peer.serving(python, empty_database, folder) as server,
        talking_to(server) as client,
        servers.connected(empty_database) as database,
    ):
        for _ in range(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(call, client)
                nursery.start_soon(call, client)
        kept = await visits(database)

    assert statuses == [200] * 20
    assert kept == [(20, 20)]


async def test_ours_stands_beside_the_echo_and_who_does_not_start_is_named(folder: Path) -> None:
    @asynccontextmanager
    async def open_nobody(setting: Setting) -> AsyncIterator[Peer]:
        program = Program(
            name="nobody",
            command=[sys.executable, "-c", "raise SystemExit('I am not here')"],
            environment={},
            health="/",
        )
        async with running.serving(program, setting.folder) as server:
            yield Peer(name="nobody", target=server.asked(iter([]), expected=b""))

    async with rivals.open_stage(_PLAN, [Candidate(name="Nobody", open=open_nobody)]) as opened:
        closed, at_rates = opened.experiments
        table = await measuring.run(closed, _PLAN, opened.facts, lambda _step: None)

    assert {case.labels[0] for case in at_rates.cases} == {rivals.NAME}
    assert opened.facts["Nobody"] == "left out: nobody ended with 1: I am not here"
    assert [row.labels for row in table.rows] == [
        *((limit.NAME, "1"), (rivals.NAME, "1")),
        *((limit.NAME, "3"), (rivals.NAME, "3")),
    ]
    for row in table.rows:
        assert row.medians["errors"] == 0
        assert row.medians["per_second"] > 0
    for echo, ours in zip(table.rows[::2], table.rows[1::2], strict=True):
        assert [each["times"] for each in ours.rounds] == [pytest.approx(1), pytest.approx(1)]
        assert echo.medians["server_cpu"] >= 0
        for limits, measured in zip(echo.rounds, ours.rounds, strict=True):
            assert measured["of_limit"] == pytest.approx(measured["per_second"] / limits["per_second"])


async def test_a_program_that_is_not_there_or_fails_is_named_with_its_last_words() -> None:
    with pytest.raises(servers.ServerFailed, match="no-such-program is not on this machine"):
        await cache.run("no-such-program", "--version")
    with pytest.raises(servers.ServerFailed, match=r"raise.*: I will not"):
        await cache.run(sys.executable, "-c", "raise SystemExit('I will not')")
