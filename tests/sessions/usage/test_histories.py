"""What is kept up to date bit by bit, what is rebuilt from raw, and what the definitions say: all of it is the same."""

from collections.abc import Callable, Coroutine, Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
import trio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.usage.assembling import reply_of
from pulsekeeper.sessions.usage.bookkeeping import bring_up_to_date
from pulsekeeper.sessions.usage.calendar import Bucket, MetricsQuery, buckets_of
from pulsekeeper.sessions.usage.figures_store import FiguresStore
from pulsekeeper.sessions.usage.rebuilding import rebuild
from tests.support import sessions_naively
from tests.support.postgres import settings_for
from tests.support.sessions_histories import SETTINGS, Life, Player, Step, histories, utc

CHANGES = {
    "Europe/Berlin": "2026-10-25 01:00",
    "America/New_York": "2026-03-08 07:00",
    "Australia/Lord_Howe": "2026-10-03 15:30",
    "Asia/Kathmandu": "2026-05-01 00:00",
}
DAYS = 4
EMPTY = inline("truncate installations, sessions, events, session_rollups, event_rollups, event_sums, presence_rollups")
SPOIL = inline("update event_rollups set events = events + 7")
WRONG_SUMS = inline(
    """
    with counted as (
        select 'hour' as span, date_trunc('hour', quarter, 'UTC') as start, name, '' as value, sum(events) as events
        from event_rollups group by 1, 2, 3
        union all
        select 'day', date_trunc('day', quarter, 'UTC'), name, value, sum(events)
        from event_rollups where value <> '' group by 1, 2, 3, 4
    )
    select * from counted full join event_sums using (span, start, name, value)
    where coalesce(counted.events, 0) <> coalesce(event_sums.events, 0)
    """
)
ROLLUPS = inline("select quarter, name, value, events from event_rollups where events <> 0 order by 1, 2, 3")
once_each = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("zone", CHANGES)
@given(data=st.data(), bucket=st.sampled_from(["day", "week"]))
@once_each
def test_the_three_ways_agree(database_url: str, zone: str, bucket: Bucket, data: st.DataObject) -> None:
    around = utc(CHANGES[zone])
    steps = data.draw(histories(around, DAYS))
    now = max(step.at for step in steps) + timedelta(seconds=data.draw(st.sampled_from((0, 400, 90_000))))

    async def run(database: Database) -> None:
        lives = await _play(database, steps)
        await _bring_up_to_date(database, now)
        query = MetricsQuery(
            from_=(around - timedelta(days=DAYS)).date(),
            to=(now + timedelta(days=1)).date(),
            timezone=zone,
            bucket=bucket,
        )
        kept, kept_rows = await _figures(database, query, now), await database.fetch(ROLLUPS)
        assert list(_differences(kept, _naive(lives, query, now))) == []
        assert await database.fetch(WRONG_SUMS) == []

        await database.execute(SPOIL)
        since = data.draw(st.sampled_from((around - timedelta(days=400), around)))
        await rebuild(database, SETTINGS, around - timedelta(days=400), now, _unheard)
        assert await _figures(database, query, now) == kept
        assert await database.fetch(WRONG_SUMS) == []
        assert await database.fetch(ROLLUPS) == kept_rows
        await rebuild(database, SETTINGS, since, now, _unheard)
        assert await database.fetch(ROLLUPS) == kept_rows

    trio.run(_on_empty, database_url, run)


async def _on_empty(url: str, run: Callable[[Database], Coroutine[Any, Any, None]]) -> None:
    async with open_database(settings_for(url)) as database:
        await database.execute(EMPTY)
        await run(database)


async def _play(database: Database, steps: list[Step]) -> list[Life]:
    player = Player(database)
    for step in steps:
        if step.kind == "account":
            await bring_up_to_date(database, SETTINGS, step.at)
        else:
            await player.play(step)
    return list(player.lives.values())


async def _bring_up_to_date(database: Database, now: datetime) -> None:
    while not (done := await bring_up_to_date(database, SETTINGS, now)) or not done.is_done:
        pass


async def _figures(database: Database, query: MetricsQuery, now: datetime) -> dict[str, Any]:
    buckets = buckets_of(query, now)
    counts = await FiguresStore(database, SETTINGS).counts(buckets, now)
    reply: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(reply_of(buckets, counts, SETTINGS, now)))
    return {key: reply[key] for key in reply if key not in {"from", "to", "timezone", "bucket", "current"}}


def _naive(lives: list[Life], query: MetricsQuery, now: datetime) -> dict[str, Any]:
    assert query.from_ is not None
    assert query.to is not None
    days = [query.from_ + timedelta(days=number) for number in range((query.to - query.from_).days + 1)]
    if query.bucket == "week":
        weeks = sorted({day.isocalendar()[:2] for day in days})
        grouped = [[date.fromisocalendar(*week, day) for day in range(1, 8)] for week in weeks]
    else:
        grouped = [[day] for day in days]
    return sessions_naively.figures(lives, grouped, ZoneInfo(query.timezone), now)


def _differences(actual: Any, expected: Any, place: str = "") -> Iterator[str]:
    """Where two documents differ, with some tolerance for fractions: far shorter than both of them."""
    if isinstance(expected, dict) and set(actual) == set(expected):
        for key in expected:
            yield from _differences(actual[key], expected[key], f"{place}.{key}")
    elif isinstance(expected, list) and len(actual) == len(expected):
        for number, (one, other) in enumerate(zip(actual, expected, strict=True)):
            yield from _differences(one, other, f"{place}[{number}]")
    elif actual != (pytest.approx(expected, abs=1e-6) if isinstance(expected, float) else expected):
        yield f"{place}: {actual} and not {expected}"


async def _unheard(done: int, total: int) -> None:
    assert 0 <= done <= total
