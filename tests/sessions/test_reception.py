"""Whose call it is, and how often they may call."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from trio.testing import MockClock

from pulsekeeper.errors import Invalid, Unauthorized
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.reception import Reception, token_of
from pulsekeeper.sessions.records import Claims
from pulsekeeper.web.problems import RateLimited
from pulsekeeper.web.wire import Headers, Request

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BEARER = {"authorization": "Bearer abc"}
HEADER = {"x-session-token": "abc"}


def request(query: str = "", peer: str = "192.0.2.1", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(method="POST", path="/", query_string=query.encode(), headers=Headers(raw), peer=peer)


def claims(number: int = 1) -> Claims:
    return Claims(UUID(int=0), UUID(int=number), NOW)


async def verify(token: str, now: datetime, lifetime: timedelta) -> Claims:
    assert (token, now, lifetime) == ("abc", NOW, timedelta(hours=24))
    return claims()


def reception() -> Reception:
    settings = Settings(starts_per_minute=2, calls_per_second=2)
    return Reception(address_of=lambda one: one.peer, verify=verify, settings=settings)


@pytest.mark.parametrize(
    "given",
    [
        request(**BEARER),
        request(**HEADER),
        request("token=abc"),
        request("token=abc", **BEARER, **HEADER),
    ],
    ids=["bearer", "header", "query", "all of them"],
)
def test_a_token_comes_in_any_of_three_ways(given: Request) -> None:
    assert token_of(given) == "abc"


@pytest.mark.parametrize("given", [request("token=other", **BEARER), request("token=abc&token=other")])
def test_different_tokens_are_refused(given: Request) -> None:
    with pytest.raises(Invalid):
        token_of(given)


def test_without_a_token_all_three_ways_are_named() -> None:
    with pytest.raises(Unauthorized) as refusal:
        token_of(request())
    assert refusal.value.code == "token_missing"
    assert all(way in refusal.value.detail for way in ("Authorization: Bearer", "X-Session-Token", "?token="))


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "abc"])
def test_another_form_of_the_header_is_no_token(header: str) -> None:
    with pytest.raises(Unauthorized) as refusal:
        token_of(request(authorization=header))
    assert refusal.value.code == "token_malformed"


async def test_the_token_says_whose_call_it_is() -> None:
    assert await reception().claims(request(**BEARER), NOW, timedelta(hours=24)) == claims()


async def test_starts_are_counted_by_address(autojump_clock: MockClock) -> None:
    door = reception()
    headers = [dict(door.admit_start(request())) for _ in range(2)]
    assert [one["RateLimit"] for one in headers] == ['"address";r=1;t=30', '"address";r=0;t=60']
    with pytest.raises(RateLimited) as refusal:
        door.admit_start(request())
    assert refusal.value.retry_after == pytest.approx(30.0)
    assert door.admit_start(request(peer="192.0.2.2"))


async def test_calls_are_counted_by_session(autojump_clock: MockClock) -> None:
    door = reception()
    for _ in range(2):
        door.admit_call(claims(1))
    with pytest.raises(RateLimited):
        door.admit_call(claims(1))
    assert dict(door.admit_call(claims(2)))["RateLimit-Policy"] == '"session";q=2;w=1'


@pytest.mark.parametrize("authorization", ["Basic YTpi", "Digest a=b"])
def test_what_a_proxy_is_told_does_not_matter_where_the_token_is_sent_in_another_way(authorization: str) -> None:
    request = Request(
        method="POST",
        path="/",
        query_string=b"token=",
        headers=Headers([(b"authorization", authorization.encode()), (b"x-session-token", b"pkst_1")]),
    )
    assert token_of(request) == "pkst_1"
