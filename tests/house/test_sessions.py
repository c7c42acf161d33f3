"""Sessions on a running service, over sockets: what clients say on purpose, by mistake and out of malice."""

import gzip
from collections.abc import AsyncIterator, Mapping
from uuid import uuid4

import httpx
import msgspec
import pytest
import trio

from pulsekeeper.ids import made_at
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.model import IngestReply, StartReply
from pulsekeeper.web.problems import Problem
from tests.support.postgres import ServerProcess, settings_for
from tests.support.service import ADMIN, Service, running_service
from tests.support.waiting import eventually

INGEST = "/telemetry/ingest"
JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}
ID = b'"0b0e9a5c-3c1e-4a59-8d2a-3f0c5d8e7a10"'
NAMED = b'{"id": ' + ID + b', "name": "a", %s}'
_STORED = inline("select name from events where session_id = :id order by name")


@pytest.fixture
async def tables(house_database_url: str) -> AsyncIterator[Database]:
    """A look into the database of the shared node."""
    async with open_database(settings_for(house_database_url)) as database:
        yield database


async def start(client: httpx.AsyncClient, **members: object) -> StartReply:
    """A session that has begun."""
    answer = await client.post("/telemetry/start-session", json=members)
    assert answer.status_code == 201, answer.text
    return msgspec.json.decode(answer.content, type=StartReply)


def of(session: StartReply, headers: Mapping[str, str] = JSON) -> dict[str, str]:
    """The headers of a session's call."""
    return {"Authorization": f"Bearer {session.token}", **headers}


def event(name: str) -> dict[str, str]:
    """A good one."""
    return {"id": str(uuid4()), "name": name}


async def stored(tables: Database, session: StartReply) -> list[str]:
    """The names of a session's events."""
    return [row["name"] for row in await tables.fetch(_STORED, id=session.session_id)]


async def test_a_session_from_its_beginning_to_its_end(client: httpx.AsyncClient, tables: Database) -> None:
    session = await start(client, platform="web", timezone="Europe/Berlin")
    alive = await client.get("/telemetry/still-alive", params={"token": session.token})
    told = await client.post(INGEST, json=[event("storyOpened"), event("page.navigated")], headers=of(session))
    ended = await client.post("/telemetry/end-session", headers={"X-Session-Token": session.token})
    over = await client.post("/telemetry/still-alive", headers=of(session))

    assert [answer.status_code for answer in (alive, told, ended, over)] == [204, 200, 204, 409]
    assert await stored(tables, session) == ["page.navigated", "story_opened"]
    assert msgspec.json.decode(over.content, type=Problem).code == "session_ended"


async def test_what_is_stored_can_be_exported(client: httpx.AsyncClient) -> None:
    session = await start(client)
    await client.post(INGEST, json=[event("exported")], headers=of(session))

    period = {"format": "ndjson", "from": made_at(session.session_id).isoformat()}
    answer = await client.get("/api/sessions/export", params=period, headers=ADMIN)

    assert (answer.status_code, answer.headers["transfer-encoding"]) == (200, "chunked")
    assert str(session.session_id) in answer.text


HOSTILE: dict[str, tuple[bytes, str]] = {
    "10,000 keys": (NAMED % (b'"props": {' + b", ".join(b'"k%d": 1' % n for n in range(10_000)) + b"}"), "bad_props"),
    "a name of half a megabyte": (NAMED.replace(b'"a"', b'"' + b"a" * 500_000 + b'"') % b'"seq": 1', "bad_name"),
    "nested props": (NAMED % b'"props": {"a": {"b": 1}}', "bad_props"),
    "deep nesting": (NAMED % (b'"props": {"a": ' + b"[" * 5_000 + b"]" * 5_000 + b"}"), "bad_id"),
    "no number": (NAMED % b'"props": {"a": NaN}', "bad_id"),
    "an infinite number": (NAMED % b'"props": {"a": Infinity}', "bad_id"),
    "a number that is too large": (NAMED % b'"props": {"a": 1e999}', "bad_props"),
    "a NUL in the id": (NAMED.replace(ID, b'"0b0e9a5c-3c1e-4a59-8d2a-3f0c5d8e7a1\\u0000"') % b'"seq": 1', "bad_id"),
    "a NUL in a property": (NAMED % b'"props": {"a": "\\u0000"}', "bad_props"),
    "a NUL as it is": (NAMED % b'"props": {"a": "\x00"}', "bad_id"),
    "year 0": (NAMED % b'"at": "0000-01-01T00:00:00Z"', "bad_time"),
    "year 1": (NAMED % b'"at": "0001-01-01T00:00:00+14:00"', "bad_time"),
    "half a surrogate pair": (NAMED % b'"props": {"a": "\\ud800"}', "bad_props"),
    "invalid UTF-8": (NAMED % b'"props": {"a": "\xff"}', "bad_props"),
    "an e-mail address": (NAMED % b'"props": {"E-Mail": "ann@example.org"}', "pii_key"),
    "no JSON at all": (b"select 1", "bad_id"),
}
"""Events, each on a line of its own, and why they are refused."""


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_event_gets_its_verdict_and_is_not_stored(
    name: str, client: httpx.AsyncClient, tables: Database
) -> None:
    session, (line, reason) = await start(client), HOSTILE[name]

    answer = await client.post(INGEST, content=line, headers=of(session, LINES))

    assert answer.status_code == 400
    assert [one.reason for one in msgspec.json.decode(answer.content, type=IngestReply).rejected] == [reason]
    assert await stored(tables, session) == []


async def test_an_event_of_the_far_future_happened_when_it_came(client: httpx.AsyncClient, tables: Database) -> None:
    session = await start(client)
    line = NAMED % b'"at": "9999-12-31T23:59:59Z"'
    assert (await client.post(INGEST, content=line, headers=of(session, LINES))).status_code == 200
    query = inline("select at = received_at from events where session_id = :id")
    assert await tables.fetch_value(query, id=session.session_id) is True


CALLS: dict[str, tuple[bytes, dict[str, str], int]] = {
    "a gzip bomb": (gzip.compress(b" " * 100_000_000), JSON | {"Content-Encoding": "gzip"}, 413),
    "a bomb in a bomb": (gzip.compress(gzip.compress(b" " * 100_000_000)), JSON | {"Content-Encoding": "gzip"}, 400),
    "two encodings": (gzip.compress(b"[]"), JSON | {"Content-Encoding": "gzip, gzip"}, 415),
    "half of a gzip": (gzip.compress(b"[]" * 100)[:-5], JSON | {"Content-Encoding": "gzip"}, 400),
    "no gzip": (b"[]", JSON | {"Content-Encoding": "gzip"}, 400),
    "too many events": (b"[" + b",".join([b"1"] * 501) + b"]", JSON, 413),
    "too many bytes": (b"[" + b" " * 1024 * 1024 + b"]", JSON, 413),
    "deep nesting": (b"[" * 100_000, JSON, 400),
    "half a document": (b'[{"id": ' + ID, JSON, 400),
    "nothing": (b"", JSON, 400),
    "another format": (b"<events/>", {"Content-Type": "text/xml"}, 415),
    "another charset": (b"[]", {"Content-Type": "application/json; charset=utf-16"}, 415),
}
"""Calls that are refused as a whole."""


@pytest.mark.parametrize("name", CALLS)
async def test_a_hostile_call_is_refused_whole(name: str, client: httpx.AsyncClient, tables: Database) -> None:
    session, (body, headers, status) = await start(client), CALLS[name]

    answer = await client.post(INGEST, content=body, headers=of(session, headers))

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert await stored(tables, session) == []


async def test_five_hundred_events_of_garbage_are_refused_one_by_one(client: httpx.AsyncClient) -> None:
    session = await start(client)
    garbage = [{"id": [], "name": {"a": 1}, "at": "x" * 1_000, "props": "y" * 900} for _ in range(500)]

    answer = await client.post(INGEST, json=garbage, headers=of(session))

    assert answer.status_code == 400
    assert len(msgspec.json.decode(answer.content, type=IngestReply).rejected) == 500


async def test_a_client_that_hangs_up_in_the_middle_of_a_body_has_said_nothing(
    house: Service, client: httpx.AsyncClient, tables: Database
) -> None:
    session = await start(client)
    line = msgspec.json.encode(event("half"))
    head = (
        f"POST {INGEST} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
        f"X-Session-Token: {session.token}\r\nContent-Length: {2 * len(line)}\r\n\r\n"
    )
    for _ in range(20):
        async with await trio.open_tcp_stream("127.0.0.1", house.port) as stream:
            await stream.send_all(head.encode() + line)

    assert (await client.post("/telemetry/end-session", headers=of(session))).status_code == 204
    assert await stored(tables, session) == []


async def test_a_token_in_an_address_is_not_in_the_log(house: Service, client: httpx.AsyncClient) -> None:
    session = await start(client)
    await client.get("/telemetry/still-alive", params={"token": session.token})
    assert session.token not in house.log()


async def test_the_limit_of_starts_is_that_of_an_address(database_url: str) -> None:
    with running_service(database_url, sessions__starts_per_minute="1") as service:
        async with service.client(source="127.0.0.2") as ann, service.client(source="127.0.0.3") as bob:
            answers = [await one.post("/telemetry/start-session") for one in (ann, ann, bob)]
    assert [answer.status_code for answer in answers] == [201, 429, 201]
    assert int(answers[1].headers["Retry-After"]) >= 1


async def test_a_session_goes_on_after_a_restart_and_on_another_node(database_url: str) -> None:
    with running_service(database_url) as one:
        async with one.client() as client:
            session = await start(client)
        one.terminate()
        assert await one.wait() == 0
    with running_service(database_url) as other:
        async with other.client() as client:
            assert (await client.post("/telemetry/still-alive", headers=of(session))).status_code == 204


async def test_while_the_database_is_away_nothing_is_promised_and_then_it_goes_on(
    fragile_server: ServerProcess,
) -> None:
    with running_service(fragile_server.url, sessions__patience="200ms") as service:
        async with service.client() as client:
            session = await start(client)
            fragile_server.kill()
            refusals = [
                await client.post("/telemetry/start-session"),
                await client.post("/telemetry/still-alive", headers=of(session)),
                await client.post(INGEST, json=[event("lost")], headers=of(session)),
                await client.post("/telemetry/withdraw", headers=of(session)),
            ]
            fragile_server.start()

            async def is_back() -> bool:
                answer = await client.post(INGEST, json=[event("kept")], headers=of(session))
                return answer.status_code == httpx.codes.OK

            await eventually(is_back)
    assert {answer.status_code for answer in refusals} == {503}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refusals)
