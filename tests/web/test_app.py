"""The application through Quart's own test client: routes, keys, errors, headers."""

from collections.abc import Awaitable, Callable

import msgspec
import pytest
import trio
from quart.typing import TestClientProtocol as Client
from structlog.testing import capture_logs

from pulsekeeper.errors import Overloaded
from pulsekeeper.web.problems import Problem
from pulsekeeper.web.settings import Settings
from pulsekeeper.web.uploads import FREE
from pulsekeeper.web.wire import Reply, Request, json_reply
from tests.web.parts import CHANGE, GREET, SHOW, app_of, endpoint, seconds

GREETING = b'{"firstName": "Ada"}'
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def client() -> Client:
    return app_of().test_client()


async def problem_of(response: object) -> Problem:
    assert response.headers["Content-Type"] == "application/problem+json"  # type: ignore[attr-defined]  # Quart's union
    return msgspec.json.decode(await response.get_data(), type=Problem)  # type: ignore[attr-defined]  # as above


async def test_a_handler_answers(client: Client) -> None:
    response = await client.post("/api/greet", data=GREETING, headers=JSON)
    assert response.status_code == 200
    assert await response.get_data() == b'{"firstName":"Ada","saidAt":"2026-03-01T12:00:00Z"}'


async def test_path_and_query_reach_the_handler(client: Client) -> None:
    response = await client.get("/api/things/a%C3%A9b?page=2&page=3")
    assert await response.get_json() == {"id": "aéb", "page": "2"}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/api/greet/",
        "//api/greet",
        "/api//greet",
        "/api/things/",
        "/api/things/a/b",
        "/api/things/%00",
        "/api/things/a%00b",
        "/api/things/%ff",
        "/api/things/%0a",
        "/api/../healthz",
        "/%2e%2e/healthz",
        "/healthz%00",
    ],
)
async def test_odd_paths_are_not_found(client: Client, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert (await problem_of(response)).title == "Not found"


async def test_a_query_that_is_not_utf_8_is_refused(client: Client) -> None:
    response = await client.get("/api/things/1?page=%ff")
    assert response.status_code == 400


async def test_another_method_is_told_which_are_allowed(client: Client) -> None:
    response = await client.delete("/api/things/1")
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert (await problem_of(response)).title == "Method not allowed"


async def test_a_get_that_changes_something_does_not_answer_head() -> None:
    changing = msgspec.structs.replace(endpoint(GREET.handler, "/api/greet"), safe=False)
    client = app_of(changing, GREET).test_client()
    refusal, options = await client.head("/api/greet"), await client.options("/api/greet")
    assert refusal.status_code == 405
    assert refusal.headers["Allow"] == "GET, OPTIONS, POST"
    assert options.headers["Allow"] == "GET, OPTIONS, POST"


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Bearer nobody", 401),
        ("Basic x", 401),
        ("Bearer worker", 403),
        ("Bearer metrics", 403),
        ("Bearer admin", 204),
    ],
)
async def test_a_door_opens_to_its_key_only(client: Client, authorization: str | None, status: int) -> None:
    headers = JSON if authorization is None else {**JSON, "Authorization": authorization}
    response = await client.put("/api/things", data=GREETING, headers=headers)
    assert response.status_code == status
    assert response.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)


async def test_the_key_is_checked_before_the_body(client: Client) -> None:
    response = await client.put("/api/things", data=b"nonsense" * 10_000)
    assert response.status_code == 401


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"firstName": 1}', "application/json", 400),
        (GREETING, "text/html", 415),
        (b" " * (16 * 1024) + GREETING, "application/json", 413),
        (b" " * (16 * 1024 - len(GREETING)) + GREETING, "application/json", 200),
    ],
)
async def test_a_bad_body_is_a_problem(client: Client, body: bytes, content_type: str, status: int) -> None:
    response = await client.post("/api/greet", data=body, headers={"Content-Type": content_type})
    assert response.status_code == status


async def test_each_endpoint_has_its_own_limit() -> None:
    async def length(request: Request) -> Reply:
        return json_reply(len(request.body))

    small = endpoint(length, "/small", "POST", max_body=10)
    large = endpoint(length, "/large", "POST", max_body=100_000)
    client = app_of(small, large).test_client()
    assert (await client.post("/small", data=b"x" * 11)).status_code == 413
    assert await (await client.post("/small", data=b"x" * 10)).get_json() == 10
    assert await (await client.post("/large", data=b"x" * 100_000)).get_json() == 100_000
    assert (await client.post("/large", data=b"x" * 100_001)).status_code == 413


async def test_long_bodies_are_refused_while_too_many_are_on_their_way_and_short_ones_are_not() -> None:
    """A thousand connections with a mebibyte each took more than a gibibyte, before anybody was known."""

    async def length(request: Request) -> Reply:
        return json_reply(len(request.body))

    app = app_of(endpoint(length, "/large", "POST", max_body=100_000))
    client = app.test_client()
    app.uploads.most = 50_000
    app.uploads.held = 30_000  # by somebody else
    refused = await client.post("/large", data=b"x" * (FREE + 20_001))
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert await (await client.post("/large", data=b"x" * (FREE + 20_000))).get_json() == FREE + 20_000
    assert (await client.post("/large", data=b"x" * 100_001)).status_code == 413
    assert app.uploads.held == 30_000
    app.uploads.held = 60_000
    assert await (await client.post("/large", data=b"x" * FREE)).get_json() == FREE


async def test_a_bug_is_logged_and_tells_nothing_outside(client: Client) -> None:
    with capture_logs() as logs:
        response = await client.get("/api/fail", headers={"X-Request-ID": "abc"})
    assert response.status_code == 500
    assert b"4711" not in await response.get_data()
    (failure,) = [entry for entry in logs if entry["event"] == "request_failed"]
    assert (failure["route"], failure["request_id"]) == ("/api/fail", "abc")
    assert isinstance(failure["exc_info"], RuntimeError)


async def test_a_kind_of_ours_keeps_its_status_and_says_when_to_come_back() -> None:
    async def busy(_: Request) -> Reply:
        raise Overloaded("Too much to do.", retry_after=7.2)

    response = await app_of(endpoint(busy)).test_client().get("/api/test")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "8")


async def _oversleep(_: Request) -> Reply:
    await trio.sleep_forever()
    raise AssertionError("unreachable")


async def _give_up(_: Request) -> Reply:
    with trio.fail_after(1):
        await trio.sleep_forever()
    raise AssertionError("unreachable")


@pytest.mark.parametrize("handler", [_oversleep, _give_up])
async def test_an_answer_that_takes_too_long_is_unavailable(
    handler: Callable[[Request], Awaitable[Reply]], autojump_clock: trio.testing.MockClock
) -> None:
    response = await app_of(endpoint(handler)).test_client().get("/api/test")
    assert response.status_code == 503
    assert trio.current_time() <= 31


async def test_a_body_that_never_ends_times_out(autojump_clock: trio.testing.MockClock) -> None:
    app = app_of(settings=Settings(request_timeout=seconds(3)))
    async with app.test_client().request("/api/greet", method="POST", headers=JSON) as connection:
        await connection.send(b'{"first')
        response = await connection.as_response()
    assert response.status_code == 408


async def test_every_reply_carries_the_security_headers(client: Client) -> None:
    for path in ("/healthz", "/nothing", "/api/fail"):
        headers = (await client.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Frame-Options"] == "DENY"
        assert "Strict-Transport-Security" not in headers
        assert "Server" not in headers


async def test_hsts_is_sent_when_it_is_asked_for() -> None:
    client = app_of(settings=Settings(hsts=seconds(3600))).test_client()
    assert (await client.get("/healthz")).headers["Strict-Transport-Security"] == "max-age=3600"


async def test_a_harmless_request_id_is_kept_and_another_replaced(client: Client) -> None:
    kept = await client.get("/nothing", headers={"X-Request-ID": "a-b_c-9"})
    assert kept.headers["X-Request-ID"] == (await problem_of(kept)).request_id == "a-b_c-9"
    for bad in ("", "a b", "x" * 65, "é"):
        made = (await client.get("/healthz", headers={"X-Request-ID": bad})).headers["X-Request-ID"]
        assert len(made) == 32


def test_two_endpoints_cannot_claim_the_same() -> None:
    with pytest.raises(ValueError, match=r"two endpoints claim GET /api/things/\{id\}"):
        app_of(SHOW, SHOW)


async def test_the_same_path_may_have_several_methods() -> None:
    client = app_of(CHANGE, endpoint(GREET.handler, "/api/things", "POST")).test_client()
    response = await client.options("/api/things")
    assert (response.status_code, response.headers["Allow"]) == (204, "OPTIONS, POST, PUT")
