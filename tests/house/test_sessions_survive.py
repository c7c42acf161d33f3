"""`kill -9`, of the node and of the database, while events pour in: what was acknowledged is there, exactly once."""

import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
import trio

from pulsekeeper.postgres.database import open_database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.model import IngestReply, StartReply
from tests.house.parts import post
from tests.support.postgres import ServerProcess, settings_for
from tests.support.service import running_service
from tests.support.waiting import eventually

KILLS = 20
REPORTERS = 8
BATCH = 50
BETWEEN = 10
"""Batches that are acknowledged between two kills: enough that some are always under way."""
FREELY = {"sessions__calls_per_second": "1000000", "sessions__starts_per_minute": "1000000"}
STORED = inline("select id from events")
IDS = inline("select count(*) from event_ids")


class Ledger:
    """What was sent, and what was promised."""

    def __init__(self) -> None:
        self.sent: set[UUID] = set()
        self.acknowledged: set[UUID] = set()
        self.batches = 0
        self.duplicates = 0
        """Events that had been stored although their client never heard of it."""
        self.over = False


class Reporter:
    """A client that sends a batch again and again, as it is, until it is acknowledged. Only then it makes another."""

    def __init__(self, client: httpx.AsyncClient, ledger: Ledger) -> None:
        self._client = client
        self._ledger = ledger

    async def run(self) -> None:
        """Report until the ledger says that it is over."""
        started = msgspec.json.decode(await self._until("/telemetry/start-session", b"{}", 201), type=StartReply)
        headers = {"Authorization": f"Bearer {started.token}"}
        for first in itertools.count(step=BATCH):
            if self._ledger.over:
                return
            await self._report(range(first, first + BATCH), headers)

    async def _report(self, numbers: Sequence[int], headers: dict[str, str]) -> None:
        ids = [uuid4() for _ in numbers]
        events = [{"id": each, "name": "story_opened", "seq": seq} for each, seq in zip(ids, numbers, strict=True)]
        self._ledger.sent.update(ids)
        answer = await self._until("/telemetry/ingest", msgspec.json.encode({"events": events}), 200, headers)
        reply = msgspec.json.decode(answer, type=IngestReply)
        assert (reply.accepted + reply.duplicates, reply.rejected) == (BATCH, ())
        self._ledger.acknowledged.update(ids)
        self._ledger.duplicates += reply.duplicates
        self._ledger.batches += 1

    async def _until(self, path: str, content: bytes, wanted: int, headers: dict[str, str] | None = None) -> bytes:
        while True:
            try:
                answer = await post(self._client, path, content, headers or {})
            except httpx.TransportError:
                await trio.sleep(0.02)
                continue
            if answer.status_code == wanted:
                return answer.content
            assert answer.status_code == 503, answer.text
            await trio.sleep(0.02)


@asynccontextmanager
async def reporting(url: str) -> AsyncIterator[Ledger]:
    """Clients report to this address all the while. Their last batches are acknowledged when the block has ended."""
    ledger = Ledger()
    transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=None))
    async with (
        httpx.AsyncClient(base_url=url, transport=transport, timeout=30, trust_env=False) as client,
        trio.open_nursery() as nursery,
    ):
        for _ in range(REPORTERS):
            nursery.start_soon(Reporter(client, ledger).run)
        yield ledger
        ledger.over = True


async def until_acknowledged(ledger: Ledger, batches: int) -> None:
    """Return when so many more batches are promised to be stored."""
    wanted = ledger.batches + batches

    async def fact() -> bool:
        return ledger.batches >= wanted

    await eventually(fact)


async def check(url: str, ledger: Ledger, what: str) -> None:
    """Everything that was acknowledged is there, once, and nothing that nobody sent."""
    async with open_database(settings_for(url)) as database:
        stored = [row["id"] for row in await database.fetch(STORED)]
        remembered = await database.fetch_value(IDS)
    print(  # noqa: T201  # the figures of the promise, for whoever runs it with -s
        f"\n{KILLS} times kill -9 of {what}: {len(ledger.acknowledged)} events acknowledged,"
        f" {len(stored)} stored, {ledger.duplicates} duplicates refused"
    )
    assert len(set(stored)) == len(stored) == remembered
    assert ledger.acknowledged <= set(stored) <= ledger.sent


class Restarted:
    """A node that is started again at the same address whenever it was killed."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._stack = ExitStack()
        self._service = self._stack.enter_context(running_service(database_url, **FREELY))
        self._port = self._service.port

    @property
    def url(self) -> str:
        """Where it is, when it is there."""
        return f"http://127.0.0.1:{self._port}"

    def kill(self) -> None:
        """`kill -9`, and start another one."""
        self._service.kill()
        again = running_service(self._database_url, web__bind=f"127.0.0.1:{self._port}", **FREELY)
        self._service = self._stack.enter_context(again)

    def end(self) -> None:
        """Whatever state it is in."""
        self._stack.close()


@pytest.fixture
def node(database_url: str) -> Iterator[Restarted]:
    """A node with a database of its own."""
    node = Restarted(database_url)
    yield node
    node.end()


async def test_a_node_that_is_killed_has_lost_nothing_that_it_acknowledged(database_url: str, node: Restarted) -> None:
    async with reporting(node.url) as ledger:
        for _ in range(KILLS):
            await until_acknowledged(ledger, BETWEEN)
            await trio.to_thread.run_sync(node.kill)

    await check(database_url, ledger, "the node")


async def test_a_database_that_is_killed_has_lost_nothing_that_was_acknowledged(fragile_server: ServerProcess) -> None:
    with running_service(fragile_server.url, **FREELY) as service:
        async with reporting(service.url) as ledger:
            for _ in range(KILLS):
                await until_acknowledged(ledger, BETWEEN)
                await trio.to_thread.run_sync(fragile_server.kill)
                await trio.to_thread.run_sync(fragile_server.start)

    await check(fragile_server.url, ledger, "the database")
