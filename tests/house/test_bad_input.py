"""What is sent by mistake and out of malice, over a real socket: told what is wrong with it, and nothing is stored."""

from collections.abc import AsyncIterator, Iterator

import httpx
import msgspec
import pytest
import trio

from pulsekeeper.postgres.database import open_database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.web.problems import Problem
from tests.house.parts import DECIDE
from tests.support.postgres import settings_for
from tests.support.service import ADMIN, Service

JSON = "application/json"
SIMULATE = "/api/experience/simulate"
STORED = inline("select (select count(*) from visitors), (select count(*) from decision_log)")
GOOD = b'{"releaseId": "1"}'
NAMED = b'{"releaseId": "1", %s}'

BODIES: dict[str, tuple[bytes, list[str]]] = {
    "nothing": (b"", []),
    "blanks": (b" \r\n\t", []),
    "no JSON": (b"releaseId=1", []),
    "half of it": (b'{"releaseId": "1"', []),
    "something after it": (b'{"releaseId": "1"} {}', []),
    "a list": (b"[]", [""]),
    "null": (b"null", [""]),
    "invalid UTF-8": (b'{"releaseId": "\xff\xfe"}', []),
    "an overlong encoding": (b'{"releaseId": "\xc0\x80"}', []),
    "UTF-16": ('{"releaseId": "1"}'.encode("utf-16"), []),
    "a NUL": (b'{"releaseId": "1\\u00002"}', ["/releaseId"]),
    "a NUL in a name": (NAMED % b'"attributes": {"a\\u0000": 1}', ["/attributes"]),
    "half a surrogate pair": (b'{"releaseId": "\\ud800"}', []),
    "no release": (b'{"visitorId": "visitor-1"}', ["/releaseId"]),
    "a number as release": (b'{"releaseId": 7}', ["/releaseId"]),
    "an empty release": (b'{"releaseId": ""}', ["/releaseId"]),
    "a release given twice": (b'{"releaseId": "1", "releaseId": 7}', ["/releaseId"]),
    "three wrong types": (
        b'{"releaseId": null, "featureFlags": "beta", "timezoneOffset": "east"}',
        ["/releaseId", "/featureFlags", "/timezoneOffset"],
    ),
    "a short visitor id": (NAMED % b'"visitorId": "short"', ["/visitorId"]),
    "a visitor id with a line end": (NAMED % b'"visitorId": "visitor-1\\n"', ["/visitorId"]),
    "a huge integer": (NAMED % b'"timezoneOffset": 1000000000000000000000000000000', ["/timezoneOffset"]),
    "a huge attribute": (NAMED % b'"attributes": {"a": 1000000000000000000000000000000}', ["/attributes/a"]),
    "an infinite attribute": (NAMED % b'"attributes": {"a": 1e999}', []),
    "no number": (NAMED % b'"attributes": {"a": NaN}', []),
    "a moment without an offset": (NAMED % b'"lastClientActionAt": "2026-01-01T00:00:00"', ["/lastClientActionAt"]),
    "no moment": (NAMED % b'"lastClientActionAt": "yesterday"', ["/lastClientActionAt"]),
    "an object as attribute": (NAMED % b'"attributes": {"a": {}}', ["/attributes/a"]),
    "too many flags": (NAMED % (b'"featureFlags": [' + b", ".join([b'"f"'] * 65) + b"]"), ["/featureFlags"]),
    "deep nesting": (NAMED % (b'"attributes": ' + b"[" * 8000 + b"]" * 8000), []),
}
"""What is sent, and where its faults are. What is no JSON has no places to point at."""


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_stored(house: Service, house_database_url: str) -> Iterator[None]:
    """Whatever is sent here, the tables are as they were."""

    async def count() -> tuple[object, ...]:
        async with open_database(settings_for(house_database_url)) as database:
            [row] = await database.fetch(STORED)
            return tuple(row)

    before = trio.run(count)
    yield
    assert trio.run(count) == before


def problem_in(answer: httpx.Response) -> Problem:
    """The document that every refusal is."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = msgspec.json.decode(answer.content, type=Problem)
    assert problem.status == answer.status_code
    return problem


@pytest.mark.parametrize("name", BODIES)
async def test_a_bad_body_is_refused_with_every_fault(name: str, client: httpx.AsyncClient) -> None:
    body, pointers = BODIES[name]

    refused = problem_in(await client.post(DECIDE, content=body, headers={"Content-Type": JSON}))

    assert refused.status == 400
    assert [fault.pointer for fault in refused.errors] == pointers


async def test_operators_are_told_of_unknown_keys_and_of_faults_in_their_campaigns(client: httpx.AsyncClient) -> None:
    question = {"person": "nobody", "reqest": {}, "campaigns": [{"id": "Not A Slug"}]}

    refused = problem_in(await client.post(SIMULATE, json=question, headers=ADMIN))

    assert refused.status == 400
    assert {fault.pointer for fault in refused.errors} >= {
        "/request",
        "/reqest",
        "/campaigns/0/id",
        "/campaigns/0/type",
    }


@pytest.mark.parametrize("content_type", ["", "application/x-www-form-urlencoded", "application/json; charset=latin-1"])
async def test_another_format_is_not_read(content_type: str, client: httpx.AsyncClient) -> None:
    refused = problem_in(await client.post(DECIDE, content=GOOD, headers={"Content-Type": content_type}))

    assert refused.status == 415


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
async def test_another_method_is_not_known(method: str, client: httpx.AsyncClient) -> None:
    answer = await client.request(method, DECIDE)

    assert problem_in(answer).status == 405
    assert answer.headers["allow"] == "OPTIONS, POST"


@pytest.mark.parametrize("chunked", [False, True])
async def test_17_kib_are_too_long(chunked: bool, client: httpx.AsyncClient) -> None:
    body = GOOD.ljust(17 * 1024)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1024):
            yield body[start : start + 1024]

    answer = await client.post(DECIDE, content=pieces() if chunked else body, headers={"Content-Type": JSON})

    assert problem_in(answer).status == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"X-Long: " + b"x" * 100_000 + b"\r\n", 431),
        (b"".join(b"X-%d: x\r\n" % number for number in range(20_000)), 431),
        (b"Content-Length: 1, 2\r\n", 400),
        (b"Content-Length: -1\r\n", 400),
        (b"No colon\r\n", 400),
        (b"X-Nul: \0\r\n", 400),
    ],
    ids=["a long one", "many", "two lengths", "a negative length", "none", "a NUL"],
)
async def test_bad_headers_are_refused(headers: bytes, status: int, house: Service) -> None:
    async with await trio.open_tcp_stream("127.0.0.1", house.port) as stream:
        await stream.send_all(b"POST /api/experience/decide HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")
        with trio.fail_after(10):
            answer = b"".join([piece async for piece in stream])

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"application/problem+json" in head
    assert msgspec.json.decode(body, type=Problem).status == status
