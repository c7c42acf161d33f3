"""Several nodes on one database, all at the same sessions at the same time."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import trio

from pulsekeeper import errors
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.reaper import Sweep
from pulsekeeper.sessions.recorder import Message, Speak, Start
from pulsekeeper.sessions.records import Claims, Standing
from pulsekeeper.sessions.store import SessionStore
from tests.support.postgres import settings_for
from tests.support.sessions import (
    DEFAULTS,
    NOW,
    ending,
    event,
    opening,
    reaping,
    recording,
    session_row,
    settings,
    speech,
    start,
)
from tests.support.waiting import until_blocked

STORED = inline("select (select count(*) from events), (select count(distinct id) from events)")
HASTY = settings(timeout="1s", max_length="3s", still_alive="500ms", patience="30s")
TICK = timedelta(milliseconds=8)
"""How far time goes with each call of 480: by a session's greatest length and a bit, altogether."""


@asynccontextmanager
async def node(url: str, of: Settings = DEFAULTS) -> AsyncIterator[Mailbox[Message]]:
    """A recorder with a pool of its own."""
    async with open_database(settings_for(url)) as database, recording(SessionStore(database, of), of) as recorder:
        yield recorder


async def test_every_event_is_stored_once_though_two_nodes_are_told_of_it_again_and_again(
    database: Database, database_url: str
) -> None:
    """Two sessions of one installation report the same events to both nodes, in any order, in calls that overlap."""
    store = SessionStore(database, DEFAULTS)
    first = await start(store)
    sessions = [first, await start(store, known_as=first.installation_id)]
    events = [event() for _ in range(200)]
    chance, stored = random.Random(7), list[int]()  # noqa: S311  # no secret

    async def retry(recorder: Mailbox[Message], claims: Claims) -> None:
        for _ in range(15):
            heard = await recorder.ref.ask(Speak(speech(claims, NOW, *chance.sample(events, 60))))
            assert heard.standing is Standing.ALIVE
            stored.append(heard.stored)

    async def tell_all(recorder: Mailbox[Message]) -> None:
        heard = await recorder.ref.ask(Speak(speech(first, NOW, *events)))
        stored.append(heard.stored)

    async with node(database_url) as one, node(database_url) as two:
        async with trio.open_nursery() as nursery:
            for recorder in (one, two):
                for claims in sessions * 3:
                    nursery.start_soon(retry, recorder, claims)
        await tell_all(two)

    [row] = await database.fetch(STORED)
    assert tuple(row) == (len(events), len(events))
    assert sum(stored) == len(events)


class Witness:
    """What clients were told of their sessions, and the time at which it is so for everybody."""

    def __init__(self, sessions: Sequence[Claims]) -> None:
        self.sessions = sessions
        self.now = NOW
        self.alive: dict[Claims, datetime] = {}
        """The last moment at which each was said to be alive."""
        self.over: dict[Claims, datetime] = {}
        """The first at which it was said to be over."""

    async def speak(self, recorder: Mailbox[Message], seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311  # no secret
        for _ in range(60):
            claims, at = chance.choice(self.sessions), self.now
            happened = [event(at)] * chance.randrange(2)
            heard = await recorder.ref.ask(Speak(speech(claims, at, *happened)))
            if heard.standing is Standing.ALIVE:
                self.alive[claims] = max(at, self.alive.get(claims, at))
            else:
                self.over[claims] = min(at, self.over.get(claims, at))
            self.now += TICK

    async def reap(self, reaper: Mailbox[Sweep]) -> None:
        while True:
            await reaper.ref.ask(Sweep())

    def agrees_with(self, claims: Claims, ended_at: datetime | None) -> None:
        alive, over = self.alive.get(claims, NOW), self.over.get(claims, datetime.max.replace(tzinfo=UTC))
        assert alive <= over
        assert claims not in self.over or ended_at is not None
        assert ended_at is None or alive <= ended_at


async def test_a_session_that_speaks_while_it_is_reaped_is_alive_or_ended_never_both(
    database: Database, database_url: str
) -> None:
    """Two recorders and two reapers; time runs away from everybody alike."""
    store = SessionStore(database, HASTY)
    witness = Witness([await start(store) for _ in range(40)])

    async with (
        node(database_url, HASTY) as one,
        node(database_url, HASTY) as two,
        open_database(settings_for(database_url)) as other,
        reaping(store, lambda: witness.now, HASTY) as first,
        reaping(SessionStore(other, HASTY), lambda: witness.now, HASTY) as second,
        trio.open_nursery() as reapers,
    ):
        for reaper in (first, second):
            reapers.start_soon(witness.reap, reaper)
        async with trio.open_nursery() as speakers:
            for seed in range(8):
                speakers.start_soon(witness.speak, (one, two)[seed % 2], seed)
        reapers.cancel_scope.cancel()

    assert witness.over
    assert witness.alive
    for claims in witness.sessions:
        ended_at, _ = await ending(database, claims)
        witness.agrees_with(claims, ended_at)


async def test_nodes_that_hear_of_the_same_sessions_in_any_order_do_not_hold_each_other_up(
    database: Database, database_url: str
) -> None:
    """Rows are held in one order, so nobody is ever in a deadlock: that would be seen as a call that is refused."""
    store = SessionStore(database, DEFAULTS)
    sessions = [await start(store) for _ in range(30)]
    refused: list[str] = []

    async def hurry(recorder: Mailbox[Message], seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311  # no secret
        for number in range(20):
            claims = chance.choice(sessions)
            at = NOW + timedelta(seconds=number)
            try:
                await recorder.ref.ask(Speak(speech(claims, at, event(at))))
                if number % 5 == 0:
                    await recorder.ref.ask(Start(opening(at, known_as=claims.installation_id, replace=True)))
            except errors.PulsekeeperError as error:
                refused.append(str(error))

    async with node(database_url) as one, node(database_url) as two, trio.open_nursery() as nursery:
        for seed in range(24):
            nursery.start_soon(hurry, (one, two)[seed % 2], seed)

    deadlocks = inline("select deadlocks from pg_stat_database where datname = current_database()")
    assert refused == []
    assert await database.fetch_value(deadlocks) == 0


async def test_signs_of_life_on_two_nodes_leave_the_latest(database: Database, database_url: str) -> None:
    store = SessionStore(database, DEFAULTS)
    session = await start(store)

    async def speak(recorder: Mailbox[Message], offset: int) -> None:
        for number in range(offset, 60, 2):
            await recorder.ref.ask(Speak(speech(session, NOW + timedelta(seconds=number))))

    async with node(database_url) as one, node(database_url) as two, trio.open_nursery() as nursery:
        nursery.start_soon(speak, one, 0)
        nursery.start_soon(speak, two, 1)

    assert (await session_row(database, session))["last_seen_at"] == NOW + timedelta(seconds=59)


async def test_of_starts_that_replace_each_other_at_the_same_moment_one_is_left(
    database: Database, database_url: str
) -> None:
    """Whoever has waited for another start has to see the session that it has opened."""
    first = await start(SessionStore(database, DEFAULTS))

    async def replace(recorder: Mailbox[Message]) -> None:
        await recorder.ref.ask(Start(opening(known_as=first.installation_id, replace=True)))

    async with (
        node(database_url) as one,
        node(database_url) as other,
        trio.open_nursery() as nursery,
        database.transaction() as transaction,
    ):
        await transaction.fetch(inline("select 1 from installations for update"))
        nursery.start_soon(replace, one)
        nursery.start_soon(replace, other)
        await until_blocked(database, 2)

    assert await database.fetch_value(inline("select count(*) from sessions where ended_at is null")) == 1
