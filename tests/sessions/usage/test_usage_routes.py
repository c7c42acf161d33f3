"""The route on a real database: each figure by an example."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from pulsekeeper.errors import Invalid
from pulsekeeper.postgres.database import Database
from pulsekeeper.sessions.usage.bookkeeping import bring_up_to_date
from pulsekeeper.sessions.usage.figures_store import FiguresStore
from pulsekeeper.sessions.usage.usage_routes import UsageRoutes
from pulsekeeper.web.identity import Scope
from pulsekeeper.web.wire import Request
from tests.support.sessions_histories import SETTINGS, live, play_all, utc

NOW = utc("2026-11-22 12:00")
MORNING = utc("2026-11-21 08:00")


async def measure(database: Database, query: str = "from=2026-11-20&to=2026-11-22") -> dict[str, Any]:
    routes = UsageRoutes(FiguresStore(database, SETTINGS), SETTINGS, lambda: NOW)
    request = Request(method="GET", path="/api/sessions/metrics", query_string=query.encode())
    reply: dict[str, Any] = msgspec.json.decode((await routes.measure(request)).body)
    return reply


def test_a_metrics_key_is_enough() -> None:
    [endpoint] = UsageRoutes(None, SETTINGS, lambda: NOW).endpoints()  # type: ignore[arg-type]  # nothing is asked

    assert (endpoint.path, endpoint.scope) == ("/api/sessions/metrics", Scope.METRICS)


async def test_where_nothing_has_happened_there_is_a_row_for_each_day(database: Database) -> None:
    reply = await measure(database)

    assert [(row["start"], row["complete"]) for row in reply["buckets"]] == [
        ("2026-11-20", True),
        ("2026-11-21", True),
        ("2026-11-22", False),
    ]
    assert (reply["from"], reply["to"], reply["timezone"], reply["bucket"]) == (
        "2026-11-20",
        "2026-11-22",
        "UTC",
        "day",
    )
    assert reply["totals"]["lengthP50Seconds"] is None


async def test_sessions_and_their_lengths_belong_to_the_day_of_the_start(database: Database) -> None:
    night = utc("2026-11-20 23:59")
    await play_all(database, [*live(1, night, 90), *live(2, MORNING, 20, ends=False), *live(3, MORNING, 100, 300)])

    first, second, _ = (await measure(database))["buckets"]

    assert (first["sessionsStarted"], second["sessionsStarted"]) == (1, 2)
    assert (first["sessionsEnded"]["explicit"], second["sessionsEnded"]["explicit"]) == (0, 2)
    assert (first["lengthP50Seconds"], second["lengthP50Seconds"]) == (90, 300)


async def test_two_short_sessions_do_not_add_up_and_thirty_seconds_are_enough(database: Database) -> None:
    later = MORNING + timedelta(hours=1)
    await play_all(database, [*live(1, MORNING, 20), *live(2, later, 20), *live(3, later, 30, installation=502)])

    reply = await measure(database)

    assert (reply["totals"]["activeUsers"], reply["buckets"][1]["activeUsers"]) == (1, 1)


async def test_active_users_are_known_before_the_accountant_comes(database: Database) -> None:
    await play_all(database, [*live(1, MORNING, 40), *live(2, MORNING + timedelta(days=1), 40)])

    retention = (await measure(database))["retention"]

    assert [row["active"] for row in retention["all"]] == [[0, 0, 0], [1, 1], [1]]
    assert [row["active"] for row in retention["first"]] == [[0, 0, 0], [1, 1], [0]]


async def test_a_story_that_is_open_grows_with_every_sign_of_life(database: Database) -> None:
    start = NOW - timedelta(minutes=9)
    steps = live(1, start, 60, name="story_opened", ends=False)
    player = await play_all(database, steps)
    await bring_up_to_date(database, SETTINGS, NOW)
    await player.play(msgspec.structs.replace(steps[-1], at=start + timedelta(seconds=100), events=()))

    reply = await measure(database)

    assert (reply["totals"]["storySeconds"], reply["totals"]["storiesUnclosed"]) == (40, 1)
    assert (reply["concurrentNow"], reply["totals"]["peakConcurrent"]) == (1, 1)


async def test_an_unknown_zone_is_refused_by_name(database: Database) -> None:
    with pytest.raises(Invalid, match="Mars/Olympus"):
        await measure(database, "timezone=Mars/Olympus")
