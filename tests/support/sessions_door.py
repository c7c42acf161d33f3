"""The routes of sessions behind both doors, with a real recorder and a real database behind them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import msgspec
import trio
from prometheus_client import CollectorRegistry
from werkzeug.datastructures import Headers

from pulsekeeper.actors.child import ChildSpec
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.actors.supervisor import Supervisor
from pulsekeeper.actors.tree import open_tree
from pulsekeeper.errors import Unauthorized
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.model import IngestReply, Settings, StartReply
from pulsekeeper.sessions.numbers import Numbers
from pulsekeeper.sessions.reception import Reception
from pulsekeeper.sessions.recorder import Message, Recorder
from pulsekeeper.sessions.routes import SessionRoutes
from pulsekeeper.sessions.signing import Keykeeper, SigningKeys
from pulsekeeper.sessions.store import SessionStore
from pulsekeeper.web.gate import Services
from pulsekeeper.web.identity import Scope
from pulsekeeper.web.problems import Problem
from tests.support.raw_http import Question
from tests.support.two_doors import TwoDoors

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
_ROWS = inline(
    "select (select count(*) from installations) as installations, (select count(*) from sessions) as sessions,"
    " (select count(*) from events) as events"
)


class Answer(msgspec.Struct, frozen=True):
    """What a client gets."""

    status: int
    body: bytes
    headers: Headers

    def read(self, to: type[Any]) -> Any:
        """The body as a Struct."""
        return msgspec.json.decode(self.body, type=to)

    @property
    def code(self) -> str:
        """The word for programs in a problem document."""
        problem: Problem = self.read(Problem)
        return problem.code


class Door:
    """One node, of which every answer is given by both doors."""

    def __init__(self, database: Database, doors: TwoDoors, mailbox: Mailbox[Message]) -> None:
        self.now = NOON
        self.mailbox = mailbox
        self._database = database
        self._doors = doors

    def later(self, **by: float) -> None:
        """Time goes by."""
        self.now += timedelta(**by)

    async def ask(self, method: str, path: str, token: str | None = None, **request: Any) -> Answer:
        """Call `/telemetry/` and the path. `request` has `data` and `headers`, or `json`."""
        told = await self._doors.ask(_question(method, path, token, **request))
        headers = Headers([(name.decode(), value.decode()) for name, value in told.fields])
        return Answer(told.status, told.body, headers)

    async def post(self, path: str, token: str | None = None, **request: Any) -> Answer:
        """The usual call."""
        return await self.ask("POST", path, token, **request)

    async def start(self, **members: Any) -> StartReply:
        """A session that has begun."""
        answer = await self.post("start-session", json=members)
        assert answer.status == 201, answer.body
        reply: StartReply = answer.read(StartReply)
        return reply

    async def ingest(self, token: str, *events: Any) -> IngestReply:
        """What became of events, of which at least one was good."""
        answer = await self.post("ingest", token, json={"events": events})
        assert answer.status == 200, answer.body
        reply: IngestReply = answer.read(IngestReply)
        return reply

    async def stored(self) -> tuple[int, int, int]:
        """How many installations, sessions and events there are."""
        [row] = await self._database.fetch(_ROWS)
        return row["installations"], row["sessions"], row["events"]

    async def value(self, sql: str, **parameters: Any) -> Any:
        """What a statement gives."""
        return await self._database.fetch_value(inline(sql), **parameters)


def _question(
    method: str,
    path: str,
    token: str | None,
    *,
    data: bytes = b"",
    json: object = msgspec.UNSET,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Question:
    fields = dict(headers)
    if token is not None:
        fields["X-Session-Token"] = token
    if json is not msgspec.UNSET:
        data, fields["Content-Type"] = msgspec.json.encode(json), "application/json"
    if data or method == "POST":
        fields["Content-Length"] = str(len(data))
    raw = [(name.encode(), value.encode()) for name, value in fields.items()]
    return Question(method=method, target=f"/telemetry/{path}".encode(), fields=raw, body=data)


class _Nobody:
    async def authenticate(self, token: str) -> Scope:
        raise Unauthorized("There are no keys here.")


def event(identifier: UUID | str | None = None, **members: Any) -> dict[str, Any]:
    """An event that is good unless something else is said of it."""
    return {"id": str(identifier or uuid4()), "name": "story_opened", **members}


def settings(**members: Any) -> Settings:
    """The room's settings with some of them changed, and no limits that a test would meet by accident."""
    return msgspec.structs.replace(Settings(starts_per_minute=10_000, calls_per_second=10_000), **members)


@asynccontextmanager
async def open_door(database: Database, of: Settings | None = None, capacity: int = 100) -> AsyncIterator[Door]:
    """A node, whose recorder must not have crashed by the end."""
    async with open_doors(database, of=of, capacity=capacity) as [door]:
        yield door


@asynccontextmanager
async def open_doors(
    *databases: Database, of: Settings | None = None, capacity: int = 100
) -> AsyncIterator[Sequence[Door]]:
    """A node for each."""
    nodes = [_node(database, of or settings(), capacity) for database in databases]
    supervisor = Supervisor([spec for _, specs in nodes for spec in specs])
    async with open_tree(supervisor) as started:
        await started.wait()
        yield [door for door, _ in nodes]
        assert {status.restarts for status in supervisor.statuses()} == {0}


def _node(database: Database, of: Settings, capacity: int) -> tuple[Door, Sequence[ChildSpec]]:
    mailbox: Mailbox[Message] = Mailbox(f"recorder-{uuid4().hex}", capacity)
    numbers, schema_ready = Numbers(CollectorRegistry()), trio.Event()
    schema_ready.set()

    def clock() -> datetime:
        return door.now

    keys = SigningKeys(database, clock, schema_ready)
    routes = SessionRoutes(
        reception=Reception(address_of=lambda request: request.peer, verify=keys.verify, settings=of),
        sign=keys.sign,
        recorder=mailbox.ref,
        settings=of,
        clock=clock,
        numbers=numbers,
    )
    services = Services(
        authenticator=_Nobody(), readiness=tuple, registry=CollectorRegistry(), clock=clock, version="1"
    )
    door = Door(database, TwoDoors(routes.endpoints(), services), mailbox)

    def make() -> Recorder:
        return Recorder(SessionStore(database, of), of, numbers, schema_ready)

    name = f"keykeeper of {mailbox.name}"
    keykeeper = ChildSpec(name=name, start=lambda: Keykeeper(keys), mailbox=Mailbox(name, 1))
    return door, (keykeeper, ChildSpec(name=mailbox.name, start=make, mailbox=mailbox))
