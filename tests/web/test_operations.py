"""What the service tells its operators: alive, ready, metrics, one line for each request."""

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from quart.typing import TestClientProtocol as Client
from structlog.testing import capture_logs

from pulsekeeper.web.settings import Settings
from tests.web.parts import GREET, app_of, services


@pytest.fixture
def client() -> Client:
    return app_of().test_client()


async def test_one_line_and_one_count_for_each_request_name_the_template_only() -> None:
    registry = CollectorRegistry()
    client = app_of(given=services(registry=registry)).test_client()
    with capture_logs() as logs:
        await client.get("/api/things/secret-id?page=secret-query", headers={"X-Request-ID": "abc"})
        await client.get("/made-up")
    assert [(entry["event"], entry["route"], entry["status"]) for entry in logs] == [
        ("request", "/api/things/{id}", 200),
        ("request", "unmatched", 404),
    ]
    assert "secret" not in repr(logs)
    assert "127.0.0.1" not in repr(logs)
    assert (
        registry.get_sample_value("pulsekeeper_http_requests_total", {"route": "/api/things/{id}", "status": "200"})
        == 1
    )
    assert registry.get_sample_value("pulsekeeper_http_request_duration_seconds_count", {"route": "unmatched"}) == 1


async def test_the_access_log_can_be_switched_off() -> None:
    with capture_logs() as logs:
        await app_of(settings=Settings(access_log="off")).test_client().get("/healthz")
    assert logs == []


@pytest.mark.parametrize("everything", [False, True])
async def test_hot_calls_are_logged_when_they_fail_or_when_that_is_asked_for(everything: bool) -> None:
    registry = CollectorRegistry()
    hot = msgspec.structs.replace(GREET, express=True)
    app = app_of(hot, settings=Settings(access_log_hot_calls=everything), given=services(registry=registry))
    with capture_logs() as logs:
        for body in ('{"firstName": "Ada"}', "nonsense"):
            await app.test_client().post("/api/greet", data=body, headers={"Content-Type": "application/json"})
    assert [entry["status"] for entry in logs] == ([200, 400] if everything else [400])
    counted = [
        registry.get_sample_value("pulsekeeper_http_requests_total", {"route": "/api/greet", "status": status})
        for status in ("200", "400")
    ]
    assert counted == [1, 1]


async def test_health_never_asks_and_readiness_says_why() -> None:
    reasons: list[str] = ["the database cannot be reached"]
    client = app_of(given=services(readiness=lambda: tuple(reasons))).test_client()
    assert await (await client.get("/healthz")).get_json() == {"status": "ok"}
    waiting = await client.get("/readyz")
    assert (waiting.status_code, (await waiting.get_json())["reasons"]) == (503, reasons)
    reasons.clear()
    assert (await client.get("/readyz")).status_code == 200


async def test_metrics_need_their_key(client: Client) -> None:
    assert (await client.get("/metrics")).status_code == 401
    response = await client.get("/metrics", headers={"Authorization": "Bearer metrics"})
    assert b"pulsekeeper_http_requests_total" in await response.get_data()
