"""Starts the FastAPI application, with a database of its own, and introduces the visitors to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks import examples, servers
from benchmarks.loader import closed_loop
from benchmarks.peers import cache, calls, running
from benchmarks.peers.running import Candidate, Peer, Program, Server, Setting
from benchmarks.servers import ServerFailed
from pulsekeeper.postgres.queries import inline

NAME = "FastAPI + uvicorn + asyncpg"
_FOLDER = Path(__file__).parent
_SCHEMA = _FOLDER / "fastapi_schema.sql"
_UVICORN = "--host 127.0.0.1 --port {port} --loop uvloop --http httptools --no-access-log --log-level warning"
_MEETING = 120.0
"""Seconds in which every known visitor has to have come once."""


@asynccontextmanager
async def open_fastapi(setting: Setting) -> AsyncIterator[Peer]:
    """One worker, as the service is one node, with visitors who have been there before."""
    url = await servers.new_database(setting.url, "fastapi")
    async with serving(await cache.python(), url, setting.folder) as server:
        known = [call(f"regular-{number:08}") for number in range(setting.visitors)]
        await _introduce(server, known)
        yield Peer(
            name=NAME,
            target=server.asked(calls.drawn(known), expected=b'"decisionId"'),
            facts={NAME: f"{', '.join(cache.PYTHON_PACKAGES).replace('==', ' ')}; uvicorn {_UVICORN}"},
        )


@asynccontextmanager
async def serving(python: Path, url: str, folder: Path) -> AsyncIterator[Server]:
    """The application on an empty database, run by a Python that has its libraries."""
    async with servers.connected(url) as database:
        for statement in _SCHEMA.read_text().split(";")[:-1]:
            await database.execute(inline(statement))
    program = Program(
        name="fastapi",
        command=[str(python), "-m", "uvicorn", "fastapi_decide:app", f"--app-dir={_FOLDER}", *_UVICORN.split()],
        environment={"DATABASE_URL": url, "PYTHONDONTWRITEBYTECODE": "1"},
        health="/healthz",
    )
    async with running.serving(program, folder) as server:
        yield server


def call(visitor_id: str) -> bytes:
    """The same call as the service gets."""
    return calls.post("/api/experience/decide", examples.request(visitor_id))


async def _introduce(server: Server, known: list[bytes]) -> None:
    """Let every known visitor come once."""
    everybody = iter(known)
    met = await closed_loop(server.address, everybody, connections=8, seconds=_MEETING)
    if met.extra["errors"] or next(everybody, None) is not None:
        raise ServerFailed(f"not all of {len(known)} visitors could be introduced to {NAME}: {met.extra}")


FASTAPI = Candidate(name=NAME, open=open_fastapi)
