"""Sessions, what is said in them, and recorders and reapers as the house runs them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import trio
from prometheus_client import CollectorRegistry

from pulsekeeper.actors.child import ChildSpec
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.actors.supervisor import Supervisor
from pulsekeeper.actors.tree import open_tree
from pulsekeeper.ids import uuid7
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.postgres.rows import Row
from pulsekeeper.scalars import Duration
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.numbers import Numbers
from pulsekeeper.sessions.reaper import Reaper, Sweep
from pulsekeeper.sessions.recorder import Message, Recorder
from pulsekeeper.sessions.records import Claims, Event, Heard, Opening, Speech, Standing
from pulsekeeper.sessions.store import SessionStore

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
"""When sessions start, unless a test says otherwise."""
MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
DEFAULTS = Settings()

_SESSION = inline("select * from sessions where id = :id")
_EVENTS = inline("select * from events where session_id = :id order by at, id")
_INSTALLATION = inline("select * from installations where id = :id")


def settings(**members: Any) -> Settings:
    """The room's settings with some of them changed; durations as text."""
    given = {key: Duration.parse(value) if isinstance(value, str) else value for key, value in members.items()}
    return msgspec.structs.replace(DEFAULTS, **given)


def minutes(count: float) -> timedelta:
    """So many of them."""
    return timedelta(minutes=count)


def opening(at: datetime = NOW, **given: Any) -> Opening:
    """A session that is to begin, of a new installation unless it is `known_as` one."""
    return Opening(**({"session_id": uuid7(at), "known_as": None, "otherwise": uuid4(), "at": at} | given))


def event(at: datetime = NOW, name: str = "story_opened", **given: Any) -> Event:
    """An event that is fit to be stored."""
    usual = {"id": uuid4(), "raw_at": at, "seq": 1, "props": b'{"story":"Button"}', "is_cut": False}
    members: dict[str, Any] = {**usual, **given}
    return Event(name=name, at=at, **members)


def speech(claims: Claims, at: datetime, *events: Event, ends: bool = False, acted: bool | None = None) -> Speech:
    """A sign of life. Whoever reports events has acted, unless it is said that they have not."""
    return Speech(claims=claims, at=at, events=events, acted=bool(events) if acted is None else acted, ends=ends)


async def start(store: SessionStore, at: datetime = NOW, **given: Any) -> Claims:
    """Open a session; gives what its token says."""
    given_opening = opening(at, **given)
    [installation_id] = await store.start([given_opening])
    return Claims(installation_id, given_opening.session_id, at)


async def say(store: SessionStore, claims: Claims, at: datetime, *events: Event, ends: bool = False) -> Heard:
    """Let a session be heard of, alone."""
    [heard] = await store.speak([speech(claims, at, *events, ends=ends)])
    return heard


async def standing(store: SessionStore, claims: Claims, at: datetime) -> Standing:
    """How a session stands when it says that it is still alive."""
    return (await say(store, claims, at)).standing


async def session_row(database: Database, claims: Claims) -> Row:
    """The session as it is stored."""
    [row] = await database.fetch(_SESSION, id=claims.session_id)
    return row


async def ending(database: Database, claims: Claims) -> tuple[datetime | None, str | None]:
    """When and why the session ended."""
    row = await session_row(database, claims)
    return row["ended_at"], row["end_reason"]


async def event_rows(database: Database, claims: Claims) -> list[Row]:
    """The session's events as they are stored, in the order of their times."""
    return await database.fetch(_EVENTS, id=claims.session_id)


async def installation_row(database: Database, installation_id: UUID) -> Row:
    """The installation as it is stored."""
    [row] = await database.fetch(_INSTALLATION, id=installation_id)
    return row


@asynccontextmanager
async def recording(
    store: SessionStore,
    of: Settings = DEFAULTS,
    *,
    mailbox: Mailbox[Message] | None = None,
    schema_ready: trio.Event | None = None,
) -> AsyncIterator[Mailbox[Message]]:
    """A supervised recorder, which must not have crashed by the end."""
    ready = is_ready() if schema_ready is None else schema_ready

    def make() -> Recorder:
        return Recorder(store, of, Numbers(CollectorRegistry()), ready)

    address = Mailbox[Message]("recorder", 10_000) if mailbox is None else mailbox
    async with _supervised("recorder", make, address):
        yield address


@asynccontextmanager
async def reaping(
    store: SessionStore,
    clock: Callable[[], datetime],
    of: Settings = DEFAULTS,
    *,
    schema_ready: trio.Event | None = None,
) -> AsyncIterator[Mailbox[Sweep]]:
    """A supervised reaper, which must not have crashed by the end."""
    ready = is_ready() if schema_ready is None else schema_ready

    def make() -> Reaper:
        return Reaper(store, of, clock, Numbers(CollectorRegistry()), ready)

    address = Mailbox[Sweep]("reaper", 100)
    async with _supervised("reaper", make, address):
        yield address


def is_ready() -> trio.Event:
    """What waits for it waits no longer."""
    event = trio.Event()
    event.set()
    return event


@asynccontextmanager
async def _supervised(name: str, start: Callable[[], Any], mailbox: Mailbox[Any]) -> AsyncIterator[None]:
    supervisor = Supervisor([ChildSpec(name=name, start=start, mailbox=mailbox)])
    async with open_tree(supervisor) as started:
        await started.wait()
        yield
        assert supervisor.statuses()[0].restarts == 0
