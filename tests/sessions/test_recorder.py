"""The actor of the handshake on a real database; where the database has to misbehave, its store is told to."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock, wait_all_tasks_blocked

from pulsekeeper import errors
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.actors.question import Question
from pulsekeeper.clock import utc_now
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.failures import TransactionConflict
from pulsekeeper.postgres.migrator import migrate
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.recorder import Message, Speak, Start, Withdraw
from pulsekeeper.sessions.records import Claims, Heard, Opening, Speech, Standing
from pulsekeeper.sessions.store import SessionStore
from tests.support.postgres import ServerProcess, settings_for
from tests.support.sessions import (
    DEFAULTS,
    NOW,
    event,
    event_rows,
    minutes,
    opening,
    recording,
    settings,
    speech,
    start,
)

ALIVE = Standing.ALIVE
COMMITTED = inline("select (select count(*) from sessions) as sessions, (select count(*) from events) as events")


class Moody(SessionStore):
    """Does first what it is told to, and then what a store does."""

    def __init__(self, database: Database, *moods: Exception) -> None:
        super().__init__(database, DEFAULTS)
        self.moods = list(moods)
        self.batches: list[int] = []
        self.hangs = False

    async def speak(self, speeches: Sequence[Speech]) -> list[Heard]:
        self.batches.append(len(speeches))
        if self.hangs:
            await trio.sleep_forever()
        if self.moods:
            raise self.moods.pop(0)
        return await super().speak(speeches)


class FakeStore(SessionStore):
    """No database at all, for tests whose clock jumps."""

    def __init__(self, *moods: Exception) -> None:
        self.moods = list(moods)
        self.hangs = False

    async def start(self, openings: Sequence[Opening]) -> list[UUID]:
        return [each.otherwise for each in openings]

    async def speak(self, speeches: Sequence[Speech]) -> list[Heard]:
        if self.hangs:
            await trio.sleep_forever()
        if self.moods:
            raise self.moods.pop(0)
        return [Heard(ALIVE) for _ in speeches]


async def outcomes(recorder: Mailbox[Message], questions: Sequence[Question[Any]]) -> list[object]:
    """Ask everything at once; gives the answers and errors in the order of the questions."""
    found: dict[int, object] = {}

    async def ask(number: int) -> None:
        try:
            found[number] = await recorder.ref.ask(questions[number])
        except errors.PulsekeeperError as error:
            found[number] = type(error)

    async with trio.open_nursery() as nursery:
        for number in range(len(questions)):
            nursery.start_soon(ask, number)
    return [found[number] for number in range(len(questions))]


async def test_what_is_answered_is_committed(database: Database) -> None:
    given = opening()
    async with recording(SessionStore(database, DEFAULTS)) as recorder:
        installation_id = await recorder.ref.ask(Start(given))
        claims = Claims(installation_id, given.session_id, NOW)
        heard = await recorder.ref.ask(Speak(speech(claims, NOW + minutes(1), event())))

        [row] = await database.fetch(COMMITTED)
    assert (installation_id, heard, tuple(row)) == (given.otherwise, Heard(ALIVE, 1), (1, 1))


async def test_calls_of_all_kinds_share_a_batch_and_each_gets_its_own_answer(database: Database) -> None:
    store = SessionStore(database, DEFAULTS)
    speaking, leaving = [await start(store) for _ in range(20)], [await start(store) for _ in range(3)]
    openings = [opening() for _ in range(20)]
    questions: list[Question[Any]] = [Start(each) for each in openings]
    questions += [Speak(speech(each, NOW, *[event()] * (place % 3))) for place, each in enumerate(speaking)]
    questions += [Withdraw(each, erase=True, at=NOW) for each in leaving]

    async with recording(store) as recorder:
        answers = await outcomes(recorder, questions)

    assert answers[:20] == [each.otherwise for each in openings]
    assert answers[20:40] == [Heard(ALIVE, min(place % 3, 1)) for place in range(20)]
    assert answers[40:] == [Standing.ENDED] * 3


@pytest.mark.parametrize("props", [b'{"open', b"{}\x1e{}", b"\xff"], ids=["no JSON", "a separator", "no UTF-8"])
async def test_what_cannot_be_stored_fails_alone(database: Database, props: bytes) -> None:
    store = SessionStore(database, DEFAULTS)
    sessions = [await start(store) for _ in range(5)]
    calls = [speech(each, NOW, event(props=props if place == 2 else b"{}")) for place, each in enumerate(sessions)]

    async with recording(store) as recorder:
        with capture_logs() as logs:
            answers = await outcomes(recorder, [Speak(each) for each in calls])

    assert answers == [Heard(ALIVE, 1)] * 2 + [errors.PulsekeeperError] + [Heard(ALIVE, 1)] * 2
    assert [log["event"] for log in logs] == ["not_storable"]
    assert "open" not in repr(logs)
    assert await event_rows(database, sessions[2]) == []


async def test_a_batch_that_was_not_given_precedence_is_written_again(database: Database) -> None:
    store = Moody(database, TransactionConflict("deadlock"), TransactionConflict("deadlock"))
    session = await start(store)

    async with recording(store) as recorder:
        assert await recorder.ref.ask(Speak(speech(session, NOW))) == Heard(ALIVE)


async def test_a_batch_that_is_never_given_precedence_is_refused(database: Database) -> None:
    store = Moody(database, *[TransactionConflict("deadlock")] * 5)
    session = await start(store)

    async with recording(store) as recorder:
        with pytest.raises(errors.Unavailable):
            await recorder.ref.ask(Speak(speech(session, NOW)))
        assert await recorder.ref.ask(Speak(speech(session, NOW))) == Heard(ALIVE)


async def test_what_one_kind_of_call_runs_into_does_not_fail_the_others(database: Database) -> None:
    store = Moody(database, errors.Unavailable("gone"))
    session, given = await start(store), opening()
    questions: list[Question[Any]] = [
        Speak(speech(session, NOW)),
        Start(given),
        Withdraw(session, erase=False, at=NOW),
    ]
    answers: list[object] = []
    answered, mailbox = trio.Event(), Mailbox[Message]("recorder", 10)

    async def ask() -> None:
        answers.extend(await outcomes(mailbox, questions))
        answered.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()  # so that they are one batch
        async with recording(store, mailbox=mailbox):
            await answered.wait()

    assert answers == [errors.Unavailable, given.otherwise, Standing.ENDED]


async def test_an_outage_is_said_at_its_beginning_and_at_its_end(autojump_clock: MockClock) -> None:
    store = FakeStore(errors.Unavailable("gone"), errors.Unavailable("gone"))
    session = Claims(UUID(int=1), UUID(int=2), NOW)

    async with recording(store) as recorder:
        with capture_logs() as logs:
            for _ in range(2):
                with pytest.raises(errors.Unavailable, match="gone"):
                    await recorder.ref.ask(Speak(speech(session, NOW)))
                with pytest.raises(errors.Unavailable, match="a moment ago"):
                    await recorder.ref.ask(Speak(speech(session, NOW)))
                await trio.sleep(0.2)
            assert await recorder.ref.ask(Speak(speech(session, NOW))) == Heard(ALIVE)

    assert [log["event"] for log in logs] == ["database_unavailable", "database_available"]


async def test_a_database_that_hangs_is_waited_for_only_so_long(autojump_clock: MockClock) -> None:
    store = FakeStore()
    store.hangs = True

    async with recording(store, settings(patience="3s")) as recorder:
        before = trio.current_time()
        with pytest.raises(errors.Unavailable, match="too slow"):
            await recorder.ref.ask(Speak(speech(Claims(UUID(int=1), UUID(int=2), NOW), NOW)))
        assert trio.current_time() - before == pytest.approx(3)


async def test_nothing_is_asked_of_the_database_before_the_schema_is_there(database: Database) -> None:
    ready, given = trio.Event(), opening()
    async with recording(SessionStore(database, DEFAULTS), schema_ready=ready) as recorder:
        with pytest.raises(errors.Unavailable):
            await recorder.ref.ask(Start(given))
        ready.set()

        assert await recorder.ref.ask(Start(given)) == given.otherwise


async def test_whose_asker_has_given_up_is_not_worked_for(database: Database) -> None:
    store = Moody(database)
    sessions = [await start(store) for _ in range(2)]

    async with recording(store) as recorder, trio.open_nursery() as nursery:
        with trio.move_on_after(0):
            await recorder.ref.ask(Speak(speech(sessions[0], NOW, event())))
        nursery.start_soon(recorder.ref.ask, Speak(speech(sessions[1], NOW, event())))

    assert store.batches == [1]
    assert await event_rows(database, sessions[0]) == []


async def test_a_database_that_is_killed_is_waited_out_and_nothing_acknowledged_is_lost(
    fragile_server: ServerProcess,
) -> None:
    async with open_database(settings_for(fragile_server.url)) as database:
        await migrate(database, utc_now())
        store = SessionStore(database, DEFAULTS)
        session, acknowledged = await start(store), 0
        async with recording(store) as recorder:

            async def report() -> bool:
                happened = event()
                for number in range(100):
                    try:
                        at = NOW + timedelta(milliseconds=number)
                        await recorder.ref.ask(Speak(speech(session, at, happened)))
                    except errors.Unavailable:
                        await trio.sleep(0.1)
                    else:
                        return number > 0
                raise AssertionError("it never came back")

            for round_ in range(10):
                if round_ == 5:
                    await trio.to_thread.run_sync(fragile_server.kill)
                    with pytest.raises(errors.Unavailable):
                        await recorder.ref.ask(Speak(speech(session, NOW)))
                    await trio.to_thread.run_sync(fragile_server.start)
                await report()
                acknowledged += 1
        assert len(await event_rows(database, session)) == acknowledged
