"""The client that programs embed, against the real service: nothing is lost with a program, a node or a network."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import trio

from pulsekeeper.client import AsyncTelemetry
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from tests.client.hosts import safe_at_the_end, safe_until_killed
from tests.support.service import Service, running_service
from tests.support.waiting import eventually

_EVENTS = inline("select name, props, session_id, installation_id from events")
_SESSIONS = inline("select id, installation_id, end_reason from sessions")
_WITHDRAWN = inline("select withdrawn_at is not null as withdrawn from installations")


def client(url: str, folder: Path, **options: Any) -> AsyncTelemetry:
    """One that does not let anyone wait."""
    chosen: dict[str, Any] = {"consent": True, "delay": 0.01, "jitter": lambda ceiling: min(ceiling, 0.05)} | options
    return AsyncTelemetry(url, folder=folder, **chosen)


async def until(fact: Callable[[], object]) -> None:
    """Return when it has become true."""

    async def asked() -> bool:
        return bool(fact())

    await eventually(asked)


async def stored(database: Database) -> list[int]:
    """The numbers of all events."""
    return [msgspec.json.decode(row["props"])["number"] for row in await database.fetch(_EVENTS)]


async def test_every_event_survives_its_program(database_url: str, database: Database, tmp_path: Path) -> None:
    """Three lives of a program, each ended by `kill -9`: what `event` returned for is stored, once."""
    safe: list[int] = []
    with running_service(database_url) as service:
        for life in range(3):
            safe += await trio.to_thread.run_sync(safe_until_killed, service.url, tmp_path, 100_000 * life, 200)
        safe += await trio.to_thread.run_sync(safe_at_the_end, service.url, tmp_path, 300_000, 10)
    found = Counter(await stored(database))
    sessions = await database.fetch(_SESSIONS)
    assert len(safe) >= 610
    assert set(safe) <= set(found)
    assert set(found.values()) == {1}
    assert "explicit" in {row["end_reason"] for row in sessions}


async def test_every_event_survives_the_node(database_url: str, database: Database, tmp_path: Path) -> None:
    """A node that is killed while events come in, and another one at the same address."""
    with running_service(database_url) as service:
        async with client(service.url, tmp_path, most_events=20_000) as t:
            await until(lambda: t.session_id)
            for number in range(3_000):
                t.event("something", number=number)
                if number == 1_500:
                    service.kill()
                if number % 100 == 0:
                    await trio.lowlevel.checkpoint()
            with running_service(database_url, web__bind=f"127.0.0.1:{service.port}"):
                await until(lambda: t.stats.queued == 0)
            assert t.stats.acknowledged + t.stats.duplicates == 3_000
    assert Counter(await stored(database)) == Counter(range(3_000))


async def test_who_withdraws_is_forgotten_and_left_alone(database_url: str, database: Database, tmp_path: Path) -> None:
    """What is stored is erased; a later run does not even ask; whoever agrees again begins anew."""
    with running_service(database_url) as service:
        async with client(service.url, tmp_path) as t:
            t.event("something", number=1)
            await until(lambda: t.stats.acknowledged)
            t.withdraw(erase=True)
            t.event("ignored", number=2)
        assert await stored(database) == []
        assert [row["withdrawn"] for row in await database.fetch(_WITHDRAWN)] == [True]
        async with client(service.url, tmp_path) as again:
            again.event("ignored", number=3)
            assert again.stopped == "consent_withdrawn"
        assert await database.fetch(_SESSIONS) == []
        async with client(service.url, tmp_path) as agreed:
            agreed.agree(version="2026-02")
            agreed.event("something", number=4)
        assert await stored(database) == [4]


async def test_another_process_of_the_installation_stops_as_well(house: Service, tmp_path: Path) -> None:
    """The service tells it, with the next call that it makes."""
    async with client(house.url, tmp_path) as one, client(house.url, tmp_path) as other:
        await until(lambda: one.session_id and other.session_id)
        one.withdraw()
        await until(lambda: one.session_id is None)
        other.event("ignored", number=1)
        await until(lambda: other.stopped == "consent_withdrawn")
    assert other.stats.acknowledged == 0


async def test_events_that_the_service_refuses_are_counted_by_reason(house: Service, tmp_path: Path) -> None:
    async with client(house.url, tmp_path) as t:
        t.event("story_opened", story="Button")
        t.event("Bad name!")
        t.event("signed_in", email="ada@example.org")
        await until(lambda: t.stats.queued == 0)
    assert (t.stats.acknowledged, t.stats.rejected) == (1, 2)
    assert t.stats.reasons == {"bad_name": 1, "pii_key": 1}
