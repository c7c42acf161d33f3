"""What becomes of sessions, on a real database."""

import random
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import trio

from pulsekeeper import errors
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.records import Claims, Event, Heard, Standing, Swept
from pulsekeeper.sessions.store import SessionStore
from tests.support.postgres import settings_for
from tests.support.sessions import (
    DEFAULTS,
    HOUR,
    MICROSECOND,
    NOW,
    ending,
    event,
    event_rows,
    installation_row,
    minutes,
    opening,
    say,
    session_row,
    speech,
    standing,
    start,
)
from tests.support.waiting import until_blocked

ALIVE, ENDED, TOO_LATE = Standing.ALIVE, Standing.ENDED, Standing.TOO_LATE
UNKNOWN = Standing.UNKNOWN
DAY = 24 * HOUR
AWAY = inline(
    """
    select lower(gap) as since, upper(gap) as until, lower_inc(gap) as inc
    from (select unnest(away) as gap from sessions) as gaps
    """
)
END = inline("update sessions set ended_at = last_seen_at, end_reason = 'explicit' where id = :id")
BERLIN = inline(
    """
    do $$ begin
        execute format('alter database %I set timezone = %L', current_database(), 'Europe/Berlin');
    end $$
    """
)


@pytest.fixture
def store(database: Database) -> SessionStore:
    return SessionStore(database, DEFAULTS)


async def keep_alive(store: SessionStore, claims: Claims, until: datetime) -> None:
    """Let it speak every hour, and at the end."""
    at = claims.started_at
    while at < until:
        at = min(at + HOUR, until)
        assert await standing(store, claims, at) is ALIVE


async def test_a_new_installation_gets_the_id_that_it_is_offered_and_has_consented(
    store: SessionStore, database: Database
) -> None:
    given = opening(known_as=uuid4(), consent_version="2", app_version="1.0", platform="web", timezone="Europe/Berlin")

    [installation_id] = await store.start([given])

    assert installation_id == given.otherwise
    installation = await installation_row(database, installation_id)
    assert (installation["first_at"], installation["consented_at"], installation["consent_version"]) == (NOW, NOW, "2")
    session = await session_row(database, Claims(installation_id, given.session_id, NOW))
    assert (session["started_at"], session["last_seen_at"], session["check_at"]) == (NOW, NOW, NOW + HOUR)
    assert (session["changes"], session["stale_since"], session["ended_at"]) == (1, NOW, None)
    assert (session["app_version"], session["platform"], session["timezone"]) == ("1.0", "web", "Europe/Berlin")


async def test_an_installation_that_comes_back_agrees_anew_and_leaves_its_first_session_open(
    store: SessionStore, database: Database
) -> None:
    first = await start(store, consent_version="1")
    again = await start(store, NOW + minutes(5), known_as=first.installation_id, consent_version="2")

    assert again.installation_id == first.installation_id
    installation = await installation_row(database, first.installation_id)
    assert (installation["first_at"], installation["consented_at"]) == (NOW, NOW + minutes(5))
    assert installation["consent_version"] == "2"
    assert await ending(database, first) == (None, None)


async def test_a_batch_of_starts_is_answered_in_its_order_and_one_installation_may_start_twice(
    store: SessionStore, database: Database
) -> None:
    known = (await start(store)).installation_id
    openings = [opening(), opening(known_as=known, consent_version="1"), opening(known_as=known, consent_version="2")]

    given = await store.start(openings)

    assert given == [openings[0].otherwise, known, known]
    assert (await installation_row(database, known))["consent_version"] == "2"
    assert await database.fetch_value(inline("select count(*) from sessions")) == 4


async def test_a_session_may_take_the_place_of_others_which_end_at_their_last_sign_of_life(
    store: SessionStore, database: Database
) -> None:
    first, stranger = await start(store), await start(store)
    await say(store, first, NOW + minutes(2))

    await start(store, NOW + minutes(5), known_as=first.installation_id, replace=True)

    assert await ending(database, first) == (NOW + minutes(2), "replaced")
    assert await standing(store, first, NOW + minutes(6)) is ENDED
    assert await ending(database, stranger) == (None, None)


async def test_a_session_that_fell_silent_before_it_was_replaced_has_timed_out(
    store: SessionStore, database: Database
) -> None:
    first = await start(store)

    await start(store, NOW + 2 * HOUR, known_as=first.installation_id, replace=True)

    assert await ending(database, first) == (NOW, "timeout")


async def test_a_session_that_ends_while_its_successor_starts_has_ended_by_itself(
    store: SessionStore, database: Database
) -> None:
    first = await start(store)

    async def replace() -> None:
        await start(store, NOW + minutes(5), known_as=first.installation_id, replace=True)

    async with trio.open_nursery() as nursery, database.transaction() as transaction:
        await transaction.execute(END, id=first.session_id)
        nursery.start_soon(replace)
        await until_blocked(database, 1)

    assert await ending(database, first) == (NOW, "explicit")


async def test_of_two_starts_in_a_batch_the_second_may_replace_the_first(
    store: SessionStore, database: Database
) -> None:
    known = (await start(store)).installation_id
    first, second = opening(known_as=known), opening(known_as=known, replace=True)

    await store.start([first, second])

    assert await ending(database, Claims(known, first.session_id, NOW)) == (NOW, "replaced")
    assert await ending(database, Claims(known, second.session_id, NOW)) == (None, None)


async def test_exactly_the_timeout_is_alive_and_a_moment_more_is_not(store: SessionStore, database: Database) -> None:
    lucky, late = await start(store), await start(store)

    assert await standing(store, lucky, NOW + HOUR) is ALIVE
    assert await standing(store, late, NOW + HOUR + MICROSECOND) is ENDED

    assert await ending(database, lucky) == (None, None)
    assert await ending(database, late) == (NOW, "timeout")


async def test_exactly_the_greatest_length_is_alive_and_a_moment_more_is_not(
    store: SessionStore, database: Database
) -> None:
    session = await start(store)
    await keep_alive(store, session, NOW + DAY)

    assert await standing(store, session, NOW + DAY + MICROSECOND) is ENDED
    assert await ending(database, session) == (NOW + DAY, "max_length")


async def test_what_came_first_is_the_reason_of_the_end(store: SessionStore, database: Database) -> None:
    """Silent from half an hour before the greatest length on, and silent for an hour before it."""
    overlong, silent = await start(store), await start(store)
    await keep_alive(store, overlong, NOW + DAY - minutes(30))
    await keep_alive(store, silent, NOW + DAY - minutes(60))

    for session in (overlong, silent):
        assert await standing(store, session, NOW + DAY + minutes(1)) is ENDED

    assert await ending(database, overlong) == (NOW + DAY - minutes(30), "max_length")
    assert await ending(database, silent) == (NOW + DAY - minutes(60), "timeout")


async def test_days_are_24_hours_long_whatever_the_zone_of_the_server(database_url: str, database: Database) -> None:
    """On this day in Berlin there were 25."""
    at = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)
    await database.execute(BERLIN)

    async with open_database(settings_for(database_url)) as other:
        store = SessionStore(other, DEFAULTS)
        session = await start(store, at)
        await keep_alive(store, session, at + DAY)
        assert await standing(store, session, at + DAY + MICROSECOND) is ENDED

    assert await ending(database, session) == (at + DAY, "max_length")


async def test_an_explicit_end_is_dated_at_its_call_and_can_be_repeated(
    store: SessionStore, database: Database
) -> None:
    session = await start(store)

    assert (await say(store, session, NOW + minutes(3), ends=True)).standing is ALIVE
    assert (await say(store, session, NOW + minutes(4), ends=True)).standing is ENDED

    assert await ending(database, session) == (NOW + minutes(3), "explicit")
    assert (await session_row(database, session))["last_seen_at"] == NOW + minutes(3)


async def test_late_events_are_taken_for_exactly_as_long_as_they_may_be_late(
    store: SessionStore, database: Database
) -> None:
    session = await start(store)
    await say(store, session, NOW + minutes(3), ends=True)

    in_time = await say(store, session, NOW + minutes(3) + DAY, event(NOW))
    too_late = await say(store, session, NOW + minutes(3) + DAY + MICROSECOND, event(NOW))

    assert (in_time, too_late) == (Heard(ENDED, 1), Heard(TOO_LATE, 0))
    assert len(await event_rows(database, session)) == 1


async def test_late_events_move_the_end_later_never_earlier_and_never_reopen(
    store: SessionStore, database: Database
) -> None:
    session = await start(store)
    await say(store, session, NOW + minutes(3), ends=True)

    await say(store, session, NOW + HOUR, event(NOW + minutes(10)))
    await say(store, session, NOW + HOUR, event(NOW + minutes(5)))

    assert await ending(database, session) == (NOW + minutes(10), "explicit")
    assert await standing(store, session, NOW + HOUR) is ENDED


async def test_a_late_event_that_does_not_say_when_it_happened_does_not_move_the_end(
    database: Database, store: SessionStore
) -> None:
    """It counts as of its receipt, which says nothing of how long the session was."""
    session = await start(store)
    await say(store, session, NOW + timedelta(minutes=1), ends=True)
    later = NOW + timedelta(hours=10)

    assert await say(store, session, later, event(later, raw_at=None)) == Heard(Standing.ENDED, 1)
    assert (await session_row(database, session))["ended_at"] == NOW + timedelta(minutes=1)


async def test_late_events_never_move_the_end_beyond_the_greatest_length(
    store: SessionStore, database: Database
) -> None:
    session = await start(store)
    await say(store, session, NOW + minutes(3), ends=True)

    await say(store, session, NOW + DAY + minutes(2), event(NOW + DAY + minutes(1)))

    assert await ending(database, session) == (NOW + DAY, "explicit")


async def test_a_duplicate_moves_nothing(store: SessionStore, database: Database) -> None:
    """Its time is corrected anew with each call, and so is later each time."""
    session, happened = await start(store), event(NOW + minutes(1))
    await say(store, session, NOW + minutes(3), happened, ends=True)
    before = await session_row(database, session)

    again = await say(store, session, NOW + HOUR, event(NOW + minutes(50), id=happened.id))

    assert again == Heard(ENDED, 0)
    assert await session_row(database, session) == before


async def test_events_of_a_session_that_has_been_silent_are_stored_and_end_it(
    store: SessionStore, database: Database
) -> None:
    """The reaper has not been there yet."""
    session = await start(store)

    assert await say(store, session, NOW + 2 * HOUR, event(NOW + minutes(20))) == Heard(ENDED, 1)
    assert await ending(database, session) == (NOW + minutes(20), "timeout")


async def test_an_event_is_stored_as_it_was_received(store: SessionStore, database: Database) -> None:
    session = await start(store)
    odd = event(NOW + minutes(1), raw_at=None, seq=None, props=None, is_cut=True)
    props = '{"story":"Ünï\\u0000\\"code\\" \\u001e \\\\ {1,2} null"}'.encode()
    rich = event(NOW + minutes(2), "page.navigated_2", raw_at=datetime(1, 1, 1, tzinfo=UTC), seq=2**53, props=props)

    await say(store, session, NOW + minutes(3), odd, rich)

    for row, sent in zip(await event_rows(database, session), (odd, rich), strict=True):
        assert row["received_at"] == NOW + minutes(3)
        assert row["installation_id"] == session.installation_id
        stored = (row["id"], row["name"], row["at"], row["raw_at"], row["seq"], row["props"], row["is_cut"])
        assert stored == (sent.id, sent.name, sent.at, sent.raw_at, sent.seq, sent.props, sent.is_cut)


async def test_an_event_is_stored_once_however_often_it_comes(store: SessionStore, database: Database) -> None:
    """Twice in a call, in two calls of a batch, in the next batch, and on another day in another session."""
    session = await start(store)
    other = await start(store, known_as=session.installation_id)
    happened = event()

    first = await store.speak([speech(session, NOW, happened, happened), speech(other, NOW, happened)])
    second = await say(store, session, NOW + minutes(1), happened)
    await say(store, session, NOW + minutes(2), ends=True)
    third = await say(store, session, NOW + DAY, happened)

    assert first == [Heard(ALIVE, 1), Heard(ALIVE, 0)]
    assert (second, third) == (Heard(ALIVE, 0), Heard(ENDED, 0))
    assert len(await event_rows(database, session)) == 1
    assert len(await event_rows(database, other)) == 0


async def test_two_installations_may_use_the_same_event_id(store: SessionStore) -> None:
    sessions, happened = [await start(store), await start(store)], event()

    heard = await store.speak([speech(session, NOW, happened) for session in sessions])

    assert heard == [Heard(ALIVE, 1)] * 2


async def test_an_event_whose_first_call_came_too_late_is_stored_by_the_second(store: SessionStore) -> None:
    """Both calls are in one batch, and of one installation."""
    over = await start(store)
    fresh = await start(store, NOW + 2 * DAY, known_as=over.installation_id)
    happened, at = event(NOW + 2 * DAY), NOW + 2 * DAY

    assert await store.speak([speech(over, at, happened), speech(fresh, at, happened)]) == [
        Heard(TOO_LATE, 0),
        Heard(ALIVE, 1),
    ]


async def test_several_calls_of_one_session_in_a_batch_count_as_one(store: SessionStore, database: Database) -> None:
    session = await start(store)
    calls = [
        speech(session, NOW + minutes(1)),
        speech(session, NOW + minutes(1) + MICROSECOND, event(), event()),
        speech(session, NOW + minutes(1) + 2 * MICROSECOND, ends=True),
        speech(session, NOW + minutes(1) + MICROSECOND, event()),
    ]

    assert await store.speak(calls) == [Heard(ALIVE, 0), Heard(ALIVE, 2), Heard(ALIVE, 0), Heard(ALIVE, 1)]
    assert await ending(database, session) == (NOW + minutes(1) + 2 * MICROSECOND, "explicit")


async def test_of_calls_at_the_greatest_length_those_in_time_are_alive(store: SessionStore, database: Database) -> None:
    session = await start(store)
    await keep_alive(store, session, NOW + DAY - minutes(5))

    heard = await store.speak([speech(session, NOW + DAY), speech(session, NOW + DAY + MICROSECOND)])

    assert [each.standing for each in heard] == [ALIVE, ENDED]
    assert await store.sweep(NOW + DAY + minutes(2 * 60), 10) == Swept(ended=1, put_off=0, overlong=1)
    assert await ending(database, session) == (NOW + DAY, "max_length")


async def test_signs_of_life_that_overtake_each_other_never_move_the_last_one_back(
    store: SessionStore, database: Database
) -> None:
    session = await start(store)
    await say(store, session, NOW + minutes(5))

    assert await standing(store, session, NOW + minutes(4)) is ALIVE
    assert (await session_row(database, session))["last_seen_at"] == NOW + minutes(5)


async def test_an_end_that_is_overtaken_by_a_sign_of_life_comes_after_it(
    store: SessionStore, database: Database
) -> None:
    session = await start(store)
    await say(store, session, NOW + minutes(5))

    await say(store, session, NOW + minutes(4), ends=True)

    assert await ending(database, session) == (NOW + minutes(5), "explicit")


async def test_nobody_speaks_for_a_session_of_another_installation(store: SessionStore, database: Database) -> None:
    session, other = await start(store), await start(store)
    swapped = Claims(other.installation_id, session.session_id, NOW)

    assert await say(store, swapped, NOW, event()) == Heard(UNKNOWN, 0)
    assert await store.speak([speech(Claims(uuid4(), uuid4(), NOW), NOW, event())]) == [Heard(UNKNOWN, 0)]
    assert await event_rows(database, session) == []


async def test_known_and_unknown_sessions_share_a_batch(store: SessionStore) -> None:
    session, nobody = await start(store), Claims(uuid4(), uuid4(), NOW)

    heard = await store.speak([speech(nobody, NOW, event()), speech(session, NOW, event())])

    assert heard == [Heard(UNKNOWN, 0), Heard(ALIVE, 1)]


async def test_changes_are_counted_but_not_mere_signs_of_life(store: SessionStore, database: Database) -> None:
    """From 30 seconds on a session is long enough to count, so that is a change, once."""
    session = await start(store)
    seen = []

    for seconds, events in ((10, 0), (29.999999, 0), (30, 0), (31, 0), (32, 1)):
        await say(store, session, NOW + timedelta(seconds=seconds), *[event() for _ in range(events)])
        seen.append((await session_row(database, session))["changes"])
    await say(store, session, NOW + minutes(1), ends=True)

    assert seen == [1, 1, 2, 2, 3]
    assert (await session_row(database, session))["changes"] == 4


async def test_the_moment_since_which_figures_are_stale_stays_until_they_have_caught_up(
    store: SessionStore, database: Database
) -> None:
    session = await start(store)
    await say(store, session, NOW + minutes(1), event())
    first = (await session_row(database, session))["stale_since"]
    await database.execute(inline("update sessions set stale_since = null"))

    await say(store, session, NOW + minutes(2))
    second = (await session_row(database, session))["stale_since"]
    await say(store, session, NOW + minutes(3), event())
    third = (await session_row(database, session))["stale_since"]

    assert (first, second, third) == (NOW, None, NOW + minutes(3))


async def test_a_session_has_acted_when_more_than_the_handshakes_own_events_are_stored(
    store: SessionStore, database: Database
) -> None:
    session = await start(store)

    await store.speak([speech(session, NOW, event(name="still_alive"), acted=False)])
    before = (await session_row(database, session))["acted"]
    await store.speak([speech(session, NOW, event(), acted=True), speech(session, NOW, acted=False)])
    await store.speak([speech(session, NOW, event(name="still_alive"), acted=False)])

    assert (before, (await session_row(database, session))["acted"]) == (False, True)


async def test_times_without_a_sign_of_life_are_kept(store: SessionStore, database: Database) -> None:
    """Fresh is who was heard of within two intervals, exactly two included."""
    session = await start(store)
    for at in (10, 20, 40, 45, 65):
        await say(store, session, NOW + minutes(at))

    away = await database.fetch(AWAY)

    gaps = [((row["since"] - NOW) / minutes(1), (row["until"] - NOW) / minutes(1), row["inc"]) for row in away]
    assert gaps == [(30, 40, False), (55, 65, False)]
    assert (await session_row(database, session))["changes"] == 4  # the start, 30 seconds, and two gaps


async def test_a_sweep_ends_who_is_silent_and_puts_the_others_off(store: SessionStore, database: Database) -> None:
    silent, exact, heard = await start(store), await start(store, NOW + MICROSECOND), await start(store)
    await say(store, heard, NOW + minutes(30))
    now = NOW + HOUR + MICROSECOND

    assert await store.sweep(now, 10) == Swept(ended=1, put_off=1, overlong=0)
    assert await store.sweep(now, 10) == Swept(ended=0, put_off=0, overlong=0)

    assert await ending(database, silent) == (NOW, "timeout")
    assert await ending(database, exact) == (None, None)
    assert (await session_row(database, heard))["check_at"] == NOW + minutes(90)
    assert (await session_row(database, silent))["changes"] == 2


async def test_a_sweep_takes_no_more_than_its_limit(store: SessionStore) -> None:
    await store.start([opening() for _ in range(5)])

    swept = [await store.sweep(NOW + 2 * HOUR, 2) for _ in range(3)]

    assert [each.ended for each in swept] == [2, 2, 1]


async def test_the_next_look_at_a_session_is_not_after_its_greatest_length(
    store: SessionStore, database: Database
) -> None:
    session = await start(store)
    await keep_alive(store, session, NOW + DAY - minutes(10))

    await store.sweep(NOW + DAY - minutes(5), 10)

    assert await store.next_check() == NOW + DAY
    assert await store.sweep(NOW + DAY + MICROSECOND, 10) == Swept(ended=1, put_off=0, overlong=1)
    assert await ending(database, session) == (NOW + DAY - minutes(10), "max_length")


async def test_nothing_is_due_without_open_sessions(store: SessionStore) -> None:
    assert await store.next_check() is None
    session = await start(store)
    assert await store.next_check() == NOW + HOUR
    await say(store, session, NOW, ends=True)
    assert await store.next_check() is None


async def test_signs_of_life_leave_the_indexes_alone(store: SessionStore, database: Database) -> None:
    """The rows are rewritten in place, which is what the room on their pages is for."""
    sessions = [await start(store) for _ in range(5)]
    for number in range(5):
        await store.speak([speech(each, NOW + timedelta(seconds=number + 1)) for each in sessions])

    counted = inline("select n_tup_upd, n_tup_hot_upd from pg_stat_xact_user_tables where relname = 'sessions'")
    async with database.transaction() as transaction:
        [before] = await transaction.fetch(counted)
        inside = SessionStore(transaction, DEFAULTS)  # type: ignore[arg-type]  # the counters are the transaction's
        await inside.speak([speech(each, NOW + timedelta(seconds=20)) for each in sessions])
        [after] = await transaction.fetch(counted)
    assert [new - old for new, old in zip(after, before, strict=True)] == [5, 5]


async def test_nothing_is_searched_for_row_by_row(store: SessionStore, database: Database) -> None:
    """Not even while the tables are nearly empty: a connection plans once, and they grow."""
    sessions = [await start(store) for _ in range(3)]
    counted = inline(
        "select sum(seq_scan), sum(idx_scan) from pg_stat_xact_user_tables where relname in ('sessions', 'event_ids')"
    )
    async with database.transaction() as transaction:
        inside = SessionStore(transaction, DEFAULTS)  # type: ignore[arg-type]  # the counters are the transaction's
        for at in (10, 40):  # seconds: at first they are plain, and then long enough to count
            [before] = await transaction.fetch(counted)
            await inside.speak([speech(each, NOW + timedelta(seconds=at), event()) for each in sessions])
            [after] = await transaction.fetch(counted)
            assert after[0] == before[0]
            assert after[1] > before[1]


async def test_retries_of_thousands_of_events_are_found_in_hash_tables(store: SessionStore) -> None:
    """A loop in a loop over them would take minutes."""
    session, events = await start(store), [event() for _ in range(10_000)]
    await say(store, session, NOW, *events[:5000])

    with trio.fail_after(20):
        assert await say(store, session, NOW, *events) == Heard(ALIVE, 5000)


async def test_sessions_are_held_one_after_the_other_by_their_ids(
    store: SessionStore, database: Database, database_url: str
) -> None:
    """Whoever waits for one holds none behind it, so that no two can wait for each other."""
    sessions = sorted([await start(store) for _ in range(5)], key=lambda each: each.session_id)
    hold = inline("select from sessions where id = :id for update nowait")

    async with trio.open_nursery() as nursery, database.transaction() as transaction:
        await transaction.execute(hold, id=sessions[2].session_id)
        nursery.start_soon(store.speak, [speech(each, NOW + minutes(1), event()) for each in reversed(sessions)])
        await until_blocked(database, 1)
        async with open_database(settings_for(database_url)) as other:
            for each in sessions[3:]:
                await other.execute(hold, id=each.session_id)
            for each in sessions[:2]:
                with pytest.raises(errors.PulsekeeperError):
                    await other.execute(hold, id=each.session_id)


def _histories(chance: random.Random, count: int) -> list[list[tuple[timedelta, int, bool]]]:
    """What sessions say in each of four rounds: when, how many events, and whether they end with it."""
    return [
        [
            (timedelta(minutes=chance.choice(_PACES)) * step, chance.randrange(3), chance.random() < 0.1)
            for step in (1, 2, 3, 4)
        ]
        for _ in range(count)
    ]


_PACES = (0.1, 0.4, 1, 9, 11, 61, 1500)
"""Minutes: below and beyond what makes a session long, away, silent, too late."""
_STATES = inline(
    """
    select last_seen_at, ended_at, end_reason, acted, away::text as away, changes, stale_since
    from sessions where id = :id
    """
)


@pytest.mark.parametrize("seed", range(8))
async def test_what_happens_to_a_session_does_not_depend_on_those_that_share_its_batch(
    store: SessionStore, database: Database, seed: int
) -> None:
    """Plain ones go a short way together, but it leads to the same place."""
    histories = _histories(random.Random(seed), 12)  # noqa: S311  # no secret
    together, alone = [[await start(store) for _ in histories] for _ in range(2)]
    seen: list[list[Event]] = [[] for _ in histories]
    await store.withdraw(together[0], erase=False, at=NOW)
    await store.withdraw(alone[0], erase=False, at=NOW)

    for step in range(4):
        said = []
        for events, history in zip(seen, histories, strict=True):
            after, count, ends = history[step]
            events += [event(NOW + after - minutes(0.05)) for _ in range(count)]
            said.append((NOW + after, tuple(events[-2:]), ends))  # some of them once more
        in_one = await store.speak(
            [speech(claims, at, *events, ends=ends) for claims, (at, events, ends) in zip(together, said, strict=True)]
        )
        one_by_one = [
            await say(store, claims, at, *events, ends=ends)
            for claims, (at, events, ends) in zip(alone, said, strict=True)
        ]
        assert in_one == one_by_one

    for one, other in zip(together, alone, strict=True):
        assert await database.fetch(_STATES, id=one.session_id) == await database.fetch(_STATES, id=other.session_id)
        assert [row["at"] for row in await event_rows(database, one)] == [
            row["at"] for row in await event_rows(database, other)
        ]
