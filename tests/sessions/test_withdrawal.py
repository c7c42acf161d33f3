"""What becomes of an installation whose user does not agree any more, on a real database."""

from datetime import timedelta
from uuid import uuid4

import pytest
import trio

from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.records import Claims, Heard, Standing
from pulsekeeper.sessions.store import SessionStore
from tests.support.postgres import settings_for
from tests.support.sessions import (
    DEFAULTS,
    HOUR,
    NOW,
    ending,
    event,
    event_rows,
    installation_row,
    minutes,
    say,
    standing,
    start,
)

WITHDRAWN = Standing.WITHDRAWN
COUNTS = inline("select quarter, name, value, events from event_rollups order by quarter, name, value")
ROLL_UP = inline("insert into session_rollups (session_id, counts) values (:id, :counts::jsonb)")
SUMS = inline(
    """
    insert into event_rollups
    select to_timestamp(quarter * 900), name, value, events
    from unnest(:quarters::bigint[], :names::text[], :values::text[], :events::bigint[])
        as given (quarter, name, value, events)
    """
)
PRESENCE = inline(
    """
    insert into presence_rollups
    select quarter, 1, true
    from generate_series(:since::timestamptz, :until::timestamptz, interval '15 minutes') as quarter
    """
)
QUARTERS = inline("select quarter from presence_rollups order by quarter")
ROWS = inline(
    """
    select
        (select count(*) from sessions where installation_id = :id)
        + (select count(*) from events where installation_id = :id)
        + (select count(*) from event_ids where installation_id = :id)
        + (select count(*) from session_rollups)
    """
)


@pytest.fixture
def store(database: Database) -> SessionStore:
    return SessionStore(database, DEFAULTS)


async def test_a_withdrawal_ends_the_session_at_its_last_sign_of_life(store: SessionStore, database: Database) -> None:
    session = await start(store, consent_version="1")
    await say(store, session, NOW + minutes(2))

    assert await store.withdraw(session, erase=False, at=NOW + minutes(5)) is Standing.ENDED

    assert await ending(database, session) == (NOW + minutes(2), "consent")
    installation = await installation_row(database, session.installation_id)
    assert (installation["withdrawn_at"], installation["consent_version"]) == (NOW + minutes(5), "1")


async def test_a_repeated_withdrawal_changes_nothing(store: SessionStore, database: Database) -> None:
    session = await start(store)
    for at in (NOW + minutes(5), NOW + minutes(6)):
        assert await store.withdraw(session, erase=False, at=at) is Standing.ENDED

    installation = await installation_row(database, session.installation_id)
    assert installation["withdrawn_at"] == NOW + minutes(5)


async def test_after_a_withdrawal_no_session_of_the_installation_takes_anything(
    store: SessionStore, database: Database
) -> None:
    """Also not one that had ended before, and whose late events would be taken otherwise."""
    over = await start(store)
    await say(store, over, NOW, ends=True)
    session = await start(store, known_as=over.installation_id)
    await store.withdraw(session, erase=False, at=NOW)

    for each in (over, session):
        assert await say(store, each, NOW + minutes(1), event()) == Heard(WITHDRAWN, 0)
        assert await event_rows(database, each) == []
    assert await ending(database, over) == (NOW, "explicit")


async def test_who_starts_anew_has_agreed_anew_but_not_to_what_was_before(
    store: SessionStore, database: Database
) -> None:
    session = await start(store)
    await store.withdraw(session, erase=False, at=NOW)

    again = await start(store, NOW + minutes(1), known_as=session.installation_id)

    assert again.installation_id == session.installation_id
    assert (await installation_row(database, session.installation_id))["withdrawn_at"] is None
    assert await standing(store, again, NOW + minutes(1)) is Standing.ALIVE
    assert await standing(store, session, NOW + minutes(1)) is WITHDRAWN


async def test_a_session_that_had_timed_out_before_has_timed_out(store: SessionStore, database: Database) -> None:
    session = await start(store)

    await store.withdraw(session, erase=False, at=NOW + 2 * HOUR)

    assert await ending(database, session) == (NOW, "timeout")


async def test_nobody_can_withdraw_for_an_installation_that_is_not_there(store: SessionStore) -> None:
    nobody = Claims(uuid4(), uuid4(), NOW)

    assert await store.withdraw(nobody, erase=True, at=NOW) is Standing.UNKNOWN


async def test_erasure_leaves_a_row_that_says_no_and_nothing_of_anybody_else_is_touched(
    store: SessionStore, database: Database
) -> None:
    session, other = await start(store, consent_version="1"), await start(store)
    earlier = await start(store, known_as=session.installation_id, consent_version="2")
    for each in (session, earlier, other):
        await say(store, each, NOW + minutes(1), event(), event())
    await database.execute(inline("update installations set first_active_at = first_at"))

    await store.withdraw(session, erase=True, at=NOW + minutes(2))

    assert await database.fetch_value(ROWS, id=session.installation_id) == 0
    assert await database.fetch_value(ROWS, id=other.installation_id) == 5
    installation = await installation_row(database, session.installation_id)
    assert (installation["consent_version"], installation["first_active_at"]) == (None, None)
    for each in (session, earlier):
        assert await say(store, each, NOW + minutes(3), event()) == Heard(WITHDRAWN, 0)


async def test_what_is_erased_already_is_not_searched_for_again(store: SessionStore, database: Database) -> None:
    """To look for it in the partitions of a year takes a tenth of a second: somebody who repeats it must not."""
    session = await start(store)
    await store.withdraw(session, erase=True, at=NOW)

    async with database.transaction() as transaction:
        await transaction.execute(inline("lock table events"))
        with trio.fail_after(5):
            assert await store.withdraw(session, erase=True, at=NOW) is Standing.ENDED


async def test_what_was_kept_at_first_can_be_erased_later(store: SessionStore, database: Database) -> None:
    session = await start(store)
    await say(store, session, NOW, event())
    await store.withdraw(session, erase=False, at=NOW)
    assert await database.fetch_value(ROWS, id=session.installation_id) == 3

    await store.withdraw(session, erase=True, at=NOW)

    assert await database.fetch_value(ROWS, id=session.installation_id) == 0


async def test_erasure_takes_the_counts_out_of_the_sums(store: SessionStore, database: Database) -> None:
    session = await start(store)
    other = await start(store, known_as=session.installation_id)
    await database.execute(
        ROLL_UP, id=session.session_id, counts=b'[[7, "a", "x", 2], [7, "b", "", 1], [8, "a", "x", 5]]'
    )
    await database.execute(ROLL_UP, id=other.session_id, counts=b'[[7, "a", "x", 3]]')
    await database.execute(
        SUMS, quarters=[7, 7, 7, 8], names=["a", "a", "b", "a"], values=["x", "y", "", "x"], events=[6, 9, 1, 5]
    )

    await store.withdraw(session, erase=True, at=NOW)

    left = [
        (row["quarter"].timestamp() / 900, row["name"], row["value"], row["events"])
        for row in await database.fetch(COUNTS)
    ]
    assert left == [(7, "a", "x", 1), (7, "a", "y", 9)]


async def test_erasure_forgets_the_peaks_of_the_time_in_which_its_sessions_were_there(
    store: SessionStore, database: Database
) -> None:
    """From the quarter in which it starts to that in which its last sign of life is two intervals old."""
    session = await start(store, NOW + minutes(20))
    await say(store, session, NOW + minutes(51))
    await database.execute(PRESENCE, since=NOW, until=NOW + 2 * HOUR)

    await store.withdraw(session, erase=True, at=NOW + HOUR)

    left = [(row["quarter"] - NOW) / minutes(15) for row in await database.fetch(QUARTERS)]
    assert left == [0, 5, 6, 7, 8]


async def test_events_that_race_with_an_erasure_are_erased_or_refused(database: Database, database_url: str) -> None:
    """Whoever comes first: afterwards nothing is there, and nobody was told that it was stored after the withdrawal."""
    async with open_database(settings_for(database_url)) as second:
        for _ in range(25):
            ours, theirs = SessionStore(database, DEFAULTS), SessionStore(second, DEFAULTS)
            session, heard = await start(ours), list[Heard]()

            async def report(store: SessionStore = theirs, session: Claims = session, to: list[Heard] = heard) -> None:
                to.extend([await say(store, session, NOW, event(), event()) for _ in range(4)])

            async with trio.open_nursery() as nursery:
                nursery.start_soon(report)
                await trio.sleep(0.002)
                await ours.withdraw(session, erase=True, at=NOW)

            assert await database.fetch_value(ROWS, id=session.installation_id) == 0
            assert [each.standing for each in heard] == sorted((each.standing for each in heard), key=_order)
            assert {each.standing for each in heard} <= {Standing.ALIVE, WITHDRAWN}


def _order(standing: Standing) -> int:
    """Once withdrawn, always withdrawn."""
    return [Standing.ALIVE, WITHDRAWN].index(standing)


async def test_a_start_that_races_with_a_withdrawal_is_whole(database: Database, database_url: str) -> None:
    """Either it came first, and is withdrawn with the others, or it came after, and the consent is given anew."""
    async with open_database(settings_for(database_url)) as second:
        for number in range(25):
            ours, theirs = SessionStore(database, DEFAULTS), SessionStore(second, DEFAULTS)
            session, again = await start(ours), list[Claims]()

            async def begin(store: SessionStore = theirs, session: Claims = session, to: list[Claims] = again) -> None:
                to.append(await start(store, NOW + timedelta(seconds=1), known_as=session.installation_id))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(begin)
                await trio.sleep(0.0005 * (number % 4))
                await ours.withdraw(session, erase=bool(number % 2), at=NOW)

            installation = await installation_row(database, session.installation_id)
            stands = await standing(ours, again[0], NOW + timedelta(seconds=1))
            assert stands is (Standing.ALIVE if installation["withdrawn_at"] is None else WITHDRAWN)
