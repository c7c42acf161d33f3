"""Every figure by an example that was worked out by hand, with sessions as the room itself writes them."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from pulsekeeper.postgres.database import Database
from pulsekeeper.sessions.model import EndReason
from pulsekeeper.sessions.records import Claims, Event
from pulsekeeper.sessions.store import SessionStore
from tests.support.sessions import event, say, speech, start
from tests.support.sessions_figures import account_and_measure, measure
from tests.support.sessions_histories import SETTINGS, live, play_all, utc

NOW = utc("2026-11-22 12:00")
MORNING = utc("2026-11-21 08:00")
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
DAYS = {"since": "2026-11-20", "to": "2026-11-22"}


@pytest.fixture
def store(database: Database) -> SessionStore:
    return SessionStore(database, SETTINGS)


def after(seconds: float, since: datetime = MORNING) -> datetime:
    return since + timedelta(seconds=seconds)


async def lived(store: SessionStore, seconds: float, *, at: datetime = MORNING, **given: Any) -> Claims:
    """A session that does something, and is ended so many seconds after its start."""
    claims = await start(store, at, **given)
    await say(store, claims, after(seconds, at), event(at, "button_clicked", props=None), ends=True)
    return claims


def in_story(second: float, opens: bool, seq: int | None, props: str | None = '{"story":"Button"}') -> Event:
    name = "story_opened" if opens else "story_closed"
    return event(after(second), name, seq=seq, props=None if props is None else props.encode())


@pytest.mark.parametrize(("seconds", "active"), [(29.999, 0), (29.999999, 0), (30, 1)])
async def test_thirty_seconds_make_active_and_a_moment_less_does_not(
    database: Database, store: SessionStore, seconds: float, active: int
) -> None:
    await lived(store, seconds)

    assert (await measure(database, NOW, **DAYS))["totals"]["activeUsers"] == active


async def test_a_session_over_midnight_belongs_to_the_local_day_on_which_it_started(
    database: Database, store: SessionStore
) -> None:
    await lived(store, 120, at=utc("2026-11-20 22:59"))

    berlin = await measure(database, NOW, timezone="Europe/Berlin", **DAYS)
    kathmandu = await measure(database, NOW, timezone="Asia/Kathmandu", **DAYS)

    assert [day["activeUsers"] for day in berlin["buckets"]] == [1, 0, 0]
    assert [day["sessionsEnded"]["explicit"] for day in berlin["buckets"]] == [0, 1, 0]
    assert [day["activeUsers"] for day in kathmandu["buckets"]] == [0, 1, 0]


async def test_the_events_of_the_handshake_are_no_action(database: Database, store: SessionStore) -> None:
    claims = await start(store, MORNING)
    for second, name in enumerate(SETTINGS.own_events):
        own = event(after(50 + second), name, props=None)
        [heard] = await store.speak([speech(claims, own.at, own, acted=False)])
        assert heard.stored == 1

    assert (await account_and_measure(database, NOW, **DAYS))["totals"]["activeUsers"] == 0


async def test_a_late_event_makes_a_session_active_that_is_over(database: Database, store: SessionStore) -> None:
    claims = await start(store, MORNING)
    await say(store, claims, after(40), ends=True)
    before = await account_and_measure(database, NOW, **DAYS)
    await say(store, claims, after(7200), event(after(20), "button_clicked", props=None))

    afterwards = await account_and_measure(database, NOW, **DAYS)

    assert (before["totals"]["activeUsers"], afterwards["totals"]["activeUsers"]) == (0, 1)
    assert [row["size"] for row in afterwards["retention"]["first"]] == [0, 1, 0]


async def test_a_late_event_makes_a_session_thirty_seconds_long(database: Database, store: SessionStore) -> None:
    claims = await lived(store, 20)
    await say(store, claims, after(7200), event(after(30), "button_clicked", props=None))

    totals = (await measure(database, NOW, **DAYS))["totals"]

    assert (totals["activeUsers"], totals["lengthP50Seconds"], totals["sessionsEnded"]["explicit"]) == (1, 30, 1)


async def test_withdrawn_and_replaced_sessions_count_and_erased_ones_do_not(
    database: Database, store: SessionStore
) -> None:
    withdrawn, erased = await lived(store, 60), await lived(store, 60)
    first = await start(store, MORNING)
    await say(store, first, after(60), event(after(5), "button_clicked", props=None))
    await start(store, after(90), known_as=first.installation_id, replace=True)
    await store.withdraw(withdrawn, erase=False, at=after(70))
    await store.withdraw(erased, erase=True, at=after(70))

    totals = (await account_and_measure(database, NOW, **DAYS))["totals"]

    assert (totals["sessionsStarted"], totals["activeUsers"]) == (3, 2)
    assert totals["sessionsEnded"] == dict.fromkeys(EndReason, 0) | {"explicit": 1, "replaced": 1}
    assert totals["events"] == {"button_clicked": 2}


async def test_lengths_and_reasons_are_of_the_last_sign_of_life(database: Database, store: SessionStore) -> None:
    silent, long = await start(store, MORNING), await start(store, MORNING)
    await say(store, silent, after(100))
    for number in range(1, 27):
        await say(store, long, MORNING + number * 55 * MINUTE)
    await store.sweep(MORNING + SETTINGS.max_length + MICROSECOND, 10)

    totals = (await measure(database, NOW, **DAYS))["totals"]

    assert (totals["sessionsEnded"]["timeout"], totals["sessionsEnded"]["max_length"]) == (1, 1)
    assert totals["lengthP50Seconds"] == (100 + 26 * 55 * 60) / 2


async def test_two_still_alive_intervals_are_present_and_a_moment_more_is_not(
    database: Database, store: SessionStore
) -> None:
    await start(store, MORNING)
    fresh = MORNING + 2 * SETTINGS.still_alive

    assert (await measure(database, fresh))["concurrentNow"] == 1
    assert (await measure(database, fresh + MICROSECOND))["concurrentNow"] == 0


async def test_who_is_there_at_midnight_is_there_on_both_days(database: Database, store: SessionStore) -> None:
    night = utc("2026-11-20 23:55")
    await lived(store, 600, at=night)
    await lived(store, 600, at=night + MINUTE)

    reply = await account_and_measure(database, NOW, **DAYS)

    assert [day["peakConcurrent"] for day in reply["buckets"]] == [2, 2, 0]


async def test_who_was_away_is_not_counted_meanwhile(database: Database, store: SessionStore) -> None:
    claims = await start(store, MORNING)
    await say(store, claims, MORNING + 50 * MINUTE)
    await lived(store, 60, at=MORNING + 20 * MINUTE)

    reply = await account_and_measure(database, NOW, **DAYS)

    assert reply["totals"]["peakConcurrent"] == 1


async def test_what_was_told_late_after_an_end_makes_nobody_present_in_between(
    database: Database, store: SessionStore
) -> None:
    """Two sessions, one after the other, were counted as there at once."""
    claims = await lived(store, 60)
    await lived(store, 60, at=MORNING + 30 * MINUTE)
    await say(store, claims, MORNING + 2 * HOUR, event(MORNING + HOUR))

    reply = await account_and_measure(database, NOW, **DAYS)

    assert reply["totals"]["peakConcurrent"] == 1


async def test_who_is_there_now_is_no_peak_of_days_that_are_over(database: Database, store: SessionStore) -> None:
    """The present was counted on the last day that was asked for, whichever it was."""
    await start(store, NOW - MINUTE)

    past = await measure(database, NOW, since="2026-11-20", to="2026-11-21")
    future = await measure(database, NOW, since="2027-01-01", to="2027-01-02")
    today = await measure(database, NOW, since="2026-11-21", to="2026-11-23")

    assert [day["peakConcurrent"] for day in past["buckets"]] == [0, 0]
    assert [day["peakConcurrent"] for day in future["buckets"]] == [0, 0]
    assert [day["peakConcurrent"] for day in today["buckets"]] == [0, 1, 0]


@pytest.mark.parametrize(
    ("events", "seconds", "unclosed"),
    [
        pytest.param([in_story(10, True, 1), in_story(15, False, 2)], 5, 0, id="once"),
        pytest.param([in_story(15, False, 2), in_story(20, True, 1)], 0, 0, id="ordered by number, and not by clock"),
        pytest.param([in_story(10, True, None), in_story(15, False, None)], 5, 0, id="without numbers"),
        pytest.param([in_story(70, True, 1)], 30, 1, id="unclosed"),
        pytest.param(
            [in_story(10, True, 1), in_story(20, True, 2), in_story(30, False, 3), in_story(40, False, 4)],
            20,
            0,
            id="opened twice",
        ),
        pytest.param(
            [
                in_story(10, True, 1),
                in_story(20, True, 2, '{"story":"Menu"}'),
                in_story(30, False, 3),
                in_story(50, False, 4, '{"story":"Menu"}'),
            ],
            50,
            0,
            id="two stories at once",
        ),
        pytest.param([in_story(10, True, 1, None), in_story(15, False, 2, "{}")], 5, 0, id="of no name"),
        pytest.param(
            [in_story(10, True, 1, '{"story":5}'), in_story(15, False, 2, '{"story":"5"}')], 5, 0, id="of a number"
        ),
        pytest.param(
            [in_story(10, True, 1, '{"story":null}'), in_story(15, False, 2, None)], 5, 0, id="null is no name"
        ),
    ],
)
async def test_time_with_stories_open(
    database: Database, store: SessionStore, events: list[Event], seconds: float, unclosed: int
) -> None:
    claims = await start(store, MORNING)
    await say(store, claims, after(100), *events, ends=True)

    totals = (await account_and_measure(database, NOW, **DAYS))["totals"]

    assert (totals["storySeconds"], totals["storiesUnclosed"]) == (seconds, unclosed)


async def test_the_first_twenty_values_are_those_that_come_most_often_and_then_by_name(
    database: Database, store: SessionStore
) -> None:
    claims = await start(store, MORNING)
    stories = [f"Story {letter}" for letter in "UTSRQPONMLKJIHGFEDCBA"]
    events = [event(after(1), props=f'{{"story":"{story}"}}'.encode()) for story in (*stories, "Story T")]
    await say(store, claims, after(60), *events, event(after(2), props=None))

    reply = await account_and_measure(database, NOW, **DAYS)

    assert [each["value"][-1] for each in reply["topStories"]] == list("TABCDEFGHIJKLMNOPQRS")
    assert [each["count"] for each in reply["topStories"]] == [2] + [1] * 19
    assert reply["totals"]["storiesOpened"] == 23


async def test_retention_is_of_strict_local_days_across_a_change_of_the_clocks(database: Database) -> None:
    """In Berlin 2026-10-25 has 25 hours: from 22:00 UTC of the day before until 23:00."""
    moments = ("2026-10-24 21:30", "2026-10-24 22:30", "2026-10-25 22:30", "2026-10-25 23:30")
    people = (501, 502, 502, 501)
    await play_all(
        database,
        [
            step
            for number, (moment, person) in enumerate(zip(moments, people, strict=True), 1)
            for step in live(number, utc(moment), 60, installation=person)
        ],
    )

    reply = await measure(
        database, utc("2026-10-26 12:00"), since="2026-10-24", to="2026-10-27", timezone="Europe/Berlin"
    )

    assert [row["active"] for row in reply["retention"]["all"]] == [[1, 0, 1], [1, 0], [1]]
    assert [row["active"] for row in reply["retention"]["first"]] == [[1, 0, 1], [1, 0], [0]]
    assert not any(row["complete"] for row in reply["retention"]["all"])


async def test_retention_of_weeks_goes_over_the_fifty_third(database: Database) -> None:
    """2020 had 53 weeks; 2021-01-03 was a Sunday, and still in the last one."""
    await play_all(
        database,
        [
            *live(1, utc("2020-12-27 12:00"), 60),
            *live(2, utc("2021-01-03 23:59"), 60),
            *live(3, utc("2021-01-04 00:00"), 60),
        ],
    )

    reply = await measure(database, utc("2021-01-11 00:00"), since="2020-12-25", to="2021-01-05", bucket="week")

    assert [row["start"] for row in reply["retention"]["all"]] == ["2020-12-21", "2020-12-28", "2021-01-04"]
    assert [row["active"] for row in reply["retention"]["all"]] == [[1, 1, 1], [1, 1], [1]]
    assert [row["size"] for row in reply["retention"]["first"]] == [1, 0, 0]
    assert all(row["complete"] for row in reply["retention"]["all"])


async def test_who_was_active_before_the_days_that_are_asked_for_is_no_newcomer(database: Database) -> None:
    await play_all(database, [*live(1, utc("2026-10-01 08:00"), 60), *live(2, MORNING, 60)])

    reply = await account_and_measure(database, NOW, **DAYS)

    assert [row["size"] for row in reply["retention"]["first"]] == [0, 0, 0]
    assert [row["size"] for row in reply["retention"]["all"]] == [0, 1, 0]


@pytest.mark.parametrize("days", [("1990-01-01", "1990-01-02"), ("2900-01-01", "2900-01-02"), ("2026-11-22",) * 2])
async def test_where_there_is_nothing_there_are_rows_of_nothing(database: Database, days: tuple[str, str]) -> None:
    reply = await account_and_measure(database, NOW, since=days[0], to=days[1])

    assert [date.fromisoformat(day["start"]) for day in reply["buckets"]] == sorted(set(map(date.fromisoformat, days)))
    assert {day["sessionsStarted"] for day in reply["buckets"]} == {0}
    assert reply["current"]


async def test_a_day_that_a_zone_left_out_is_empty_and_loses_nothing(database: Database) -> None:
    """Samoa went from the 29th of December 2011 to the 31st."""
    await play_all(
        database, [*live(1, utc("2011-12-30 09:59"), 60, installation=501), *live(2, utc("2011-12-30 10:00"), 60)]
    )

    reply = await account_and_measure(
        database, utc("2012-01-02 00:00"), since="2011-12-29", to="2011-12-31", timezone="Pacific/Apia"
    )

    assert [day["sessionsStarted"] for day in reply["buckets"]] == [1, 0, 1]
    assert [row["active"] for row in reply["retention"]["all"]] == [[1, 0, 1], [0, 0], [1]]
