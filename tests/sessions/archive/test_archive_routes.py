"""The archive over HTTP: each handler with a real database behind it, and the export over a real socket."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
import pytest

from pulsekeeper import errors
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.sessions.archive import lake
from pulsekeeper.sessions.archive.archive_routes import ArchiveRoutes
from pulsekeeper.sessions.archive.archive_store import ArchiveStore
from pulsekeeper.sessions.model import Settings
from pulsekeeper.web.wire import Reply, Request
from tests.support.postgres import settings_for
from tests.support.sessions_archive import INSTALLATION, NOON, SESSION, add_events, add_many, add_session
from tests.support.waiting import all_idle, eventually
from tests.web.clients import serving
from tests.web.parts import app_of

TOMORROW = NOON + timedelta(days=1)
GET = b"GET /api/export?from=2026-11-21&to=2026-11-22 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture
def routes(database: Database) -> ArchiveRoutes:
    return ArchiveRoutes(ArchiveStore(database), Settings(), lambda: TOMORROW)


def request(session_id: object = SESSION, **query: object) -> Request:
    asked = {name.rstrip("_"): value for name, value in query.items()}
    return Request(method="GET", path="/", path_params={"id": str(session_id)}, query_string=urlencode(asked).encode())


def document(reply: Reply) -> Any:
    return msgspec.json.decode(reply.body)


async def streamed(reply: Reply) -> bytes:
    assert reply.stream is not None
    async with reply.stream() as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_a_session_is_shown_with_its_events(routes: ArchiveRoutes, database: Database) -> None:
    await add_session(database, last_seen_at=NOON + timedelta(hours=23, minutes=30), platform="figma")
    await add_events(database, {"seq": 1, "props": b'{"story":"Button"}', "raw_at": NOON, "is_cut": True})

    assert document(await routes.show(request())) == {
        "sessionId": str(SESSION),
        "installationId": str(INSTALLATION),
        "startedAt": "2026-11-21T12:00:00Z",
        "lastSeenAt": "2026-11-22T11:30:00Z",
        "endedAt": None,
        "endReason": None,
        "appVersion": None,
        "platform": "figma",
        "timezone": None,
        "state": "open",
        "events": [
            {
                "id": str(UUID(int=1000)),
                "name": "story_opened",
                "at": "2026-11-21T12:00:00Z",
                "rawAt": "2026-11-21T12:00:00Z",
                "receivedAt": "2026-11-21T12:00:00Z",
                "seq": 1,
                "props": {"story": "Button"},
                "isCut": True,
            }
        ],
        "next": None,
    }


async def test_a_session_that_has_fallen_silent_is_over_though_nobody_has_noticed(
    routes: ArchiveRoutes, database: Database
) -> None:
    await add_session(database)

    shown = document(await routes.show(request()))

    assert (shown["state"], shown["endReason"], shown["endedAt"]) == ("ended", "timeout", "2026-11-21T12:00:00Z")


async def test_a_timeline_is_read_page_by_page(routes: ArchiveRoutes, database: Database) -> None:
    await add_session(database)
    made = [str(event_id) for event_id in await add_events(database, *({"seq": number} for number in range(5)))]

    pages = [document(await routes.show(request(limit=2)))]
    while after := pages[-1]["next"]:
        pages.append(document(await routes.show(request(limit=2, after=after))))

    assert [[event["id"] for event in page["events"]] for page in pages] == [made[:2], made[2:4], made[4:]]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": 0}, "/limit"),
        ({"limit": 501}, "/limit"),
        ({"limit": "-1"}, "/limit"),
        ({"limit": "1" * 5000}, "/limit"),
        ({"limit": ""}, "/limit"),
        ({"after": "7"}, "/after"),
        ({"after": UUID(int=4711)}, "/after"),
        ({"before": 1}, "/before"),
    ],
)
async def test_a_page_that_cannot_be_meant_is_refused(
    query: dict[str, object], pointer: str, routes: ArchiveRoutes, database: Database
) -> None:
    await add_session(database)

    with pytest.raises(errors.Invalid) as refused:
        await routes.show(request(**query))
    assert [fault.pointer for fault in refused.value.faults] == [pointer]


async def test_a_session_must_exist_and_be_called_by_an_id(routes: ArchiveRoutes) -> None:
    with pytest.raises(errors.NotFound):
        await routes.show(request())
    with pytest.raises(errors.Invalid, match="'seven' is not the id of a session"):
        await routes.show(request("seven"))


@pytest.mark.parametrize(
    ("to", "content_type", "begins"),
    [
        ("ndjson", "application/x-ndjson", b'{"receivedAt":'),
        ("csv", "text/csv; charset=utf-8; header=present", b"receivedAt,"),
        ("parquet", "application/vnd.apache.parquet", b"PAR1"),
    ],
)
async def test_events_are_exported_as_a_file_with_a_name(
    to: str, content_type: str, begins: bytes, routes: ArchiveRoutes, database: Database
) -> None:
    await add_events(database, {})

    reply = await routes.export(request(format=to))

    assert (reply.status, reply.content_type) == (200, content_type)
    assert reply.headers == (
        ("Content-Disposition", f'attachment; filename="events-20261121T0000Z-20261122T0000Z.{to}"'),
    )
    assert (await streamed(reply)).startswith(begins)
    await all_idle(database)


async def test_only_what_was_received_in_time_is_exported(routes: ArchiveRoutes, database: Database) -> None:
    await add_events(database, {}, {"received_at": TOMORROW - timedelta(hours=12), "name": "today"})

    yesterday = await streamed(await routes.export(request()))
    both = await streamed(await routes.export(request(from_="2026-11-21", to="2026-11-23")))

    assert (yesterday.count(b"\n"), both.count(b"\n")) == (1, 2)


async def test_a_third_export_is_asked_to_come_back(routes: ArchiveRoutes, database: Database) -> None:
    await add_events(database, {})
    replies = [await routes.export(request()) for _ in range(2)]

    async with AsyncExitStack() as stack:
        for reply in replies:
            assert reply.stream is not None
            await stack.enter_async_context(reply.stream())
        with pytest.raises(errors.Overloaded) as refused:
            await routes.export(request())
        assert refused.value.retry_after is not None

    assert await streamed(await routes.export(request()))


async def test_without_duckdb_parquet_is_refused_with_what_would_help(
    routes: ArchiveRoutes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake, "find_spec", lambda _: None)

    with pytest.raises(errors.Invalid, match="pip install"):
        await routes.export(request(format="parquet"))


async def test_an_outage_is_told_before_anything_is_promised(database_url: str) -> None:
    async with open_database(settings_for(database_url.replace("/t_", "/no_"))) as away:
        with pytest.raises(errors.Unavailable):
            await ArchiveRoutes(ArchiveStore(away), Settings(), lambda: TOMORROW).export(request())


async def test_an_export_is_not_taken_for_a_session_and_only_operators_ask(routes: ArchiveRoutes) -> None:
    client = app_of(*routes.endpoints()).test_client()
    admin, other = ({"Authorization": f"Bearer {scope}"} for scope in ("admin", "worker"))

    for path in ("/api/sessions/export", f"/api/sessions/{SESSION}"):
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers=other)).status_code == 403
    exported = await client.get("/api/sessions/export?format=csv", headers=admin)

    assert (exported.status_code, (await exported.get_data())[:11]) == (200, b"receivedAt,")
    assert (await client.get("/api/sessions/seven", headers=admin)).status_code == 400
    assert (await client.get(f"/api/sessions/{SESSION}", headers=admin)).status_code == 404


async def test_who_hangs_up_gives_the_connection_and_the_place_back(routes: ArchiveRoutes, database: Database) -> None:
    """The export is far longer than what is on its way between the two."""
    await add_many(database, 50_000)

    def free(places: int) -> Callable[[], Awaitable[bool]]:
        async def fact() -> bool:
            return routes._places.value == places

        return fact

    async with serving(routes.export) as front:
        async with await front.connect() as stream:
            await stream.send_all(GET)
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 ")
            await eventually(free(1))
        await eventually(free(2))
        await all_idle(database)


async def test_an_export_arrives_whole_over_a_socket(routes: ArchiveRoutes, database: Database) -> None:
    await add_many(database, 1200)
    async with serving(routes.export) as front:
        head, _, body = (await front.say(GET)).partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head.lower()
    assert body.count(b'"story":"Button"') == 1200
    assert body.endswith(b"\r\n0\r\n\r\n")
