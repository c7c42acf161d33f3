"""Pages of other sites: what they may call, and what they are told."""

import pytest

from pulsekeeper.web.settings import Origin, Settings
from tests.web.parts import app_of

ORIGIN = Origin("https://shop.example")
ASKING = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize(
    ("configured", "allowed"), [((ORIGIN,), ORIGIN), (("*",), "*"), ((), None), (("https://x.example",), None)]
)
async def test_a_public_reply_can_be_read_by_configured_origins(
    configured: tuple[str, ...], allowed: str | None
) -> None:
    client = app_of(settings=Settings(cors_origins=tuple(map(Origin, configured)))).test_client()
    response = await client.post("/api/greet", data=b"{}", headers={"Origin": ORIGIN, "Content-Type": "text/plain"})
    assert response.status_code == 400
    assert response.headers.get("Access-Control-Allow-Origin") == allowed
    assert "Access-Control-Allow-Credentials" not in response.headers


async def test_caches_are_told_that_the_origin_matters() -> None:
    one = app_of(settings=Settings(cors_origins=(ORIGIN,))).test_client()
    assert (await one.post("/api/greet")).headers["Vary"] == "Origin"
    every = app_of(settings=Settings(cors_origins=(Origin("*"),))).test_client()
    assert "Vary" not in (await every.post("/api/greet", headers={"Origin": ORIGIN})).headers


async def test_a_preflight_is_answered_and_may_be_remembered() -> None:
    client = app_of(settings=Settings(cors_origins=(ORIGIN,))).test_client()
    response = await client.options("/api/greet", headers=ASKING)
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert response.headers["Access-Control-Allow-Methods"] == "POST"
    allowed = set(response.headers["Access-Control-Allow-Headers"].split(", "))
    assert {"Authorization", "Content-Encoding", "Content-Type", "X-Session-Token"} <= allowed
    assert response.headers["Access-Control-Max-Age"] == "7200"


@pytest.mark.parametrize(
    "origin", ["https://shop.example.evil", "https://SHOP.example", "http://shop.example", "null", ""]
)
async def test_origins_are_compared_whole(origin: str) -> None:
    client = app_of(settings=Settings(cors_origins=(ORIGIN,))).test_client()
    response = await client.options("/api/greet", headers={**ASKING, "Origin": origin})
    assert not [name for name, _ in response.headers if name.startswith("Access-Control")]


async def test_an_operators_endpoint_is_closed_to_other_sites() -> None:
    client = app_of(settings=Settings(cors_origins=(Origin("*"),))).test_client()
    preflight = await client.options("/api/things", headers={**ASKING, "Access-Control-Request-Method": "PUT"})
    answer = await client.put("/api/things", headers={"Origin": ORIGIN})
    for response in (preflight, answer):
        assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
