"""Events and the calls that they go out in."""

import gzip
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.client.model import Kind, Options
from pulsekeeper.client.packing import (
    PACKED_FROM,
    BadEvent,
    Scalar,
    bare_request,
    event_of,
    ingest_request,
    start_request,
    withdraw_request,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = UUID("5fd9ef32-9b9e-4d3b-8b8b-4c8f6a1f1c11")
OPTIONS = Options(url="https://pulse.example.org/", app_version="1.2", platform="linux")


def test_an_event_is_json_with_the_time_in_utc() -> None:
    event = msgspec.json.decode(event_of(ID, "story_opened", NOW, {"story": "Button", "n": 1, "x": None}))
    assert event == {
        "id": str(ID),
        "name": "story_opened",
        "at": "2026-03-01T12:00:00Z",
        "props": {"story": "Button", "n": 1, "x": None},
    }


@pytest.mark.parametrize(
    ("name", "props", "reason"),
    [
        ("", {}, "bad_name"),
        (3, {}, "bad_name"),
        ("a", {"deep": {"er": 1}}, "bad_props"),
        ("a", {"b": b"bytes"}, "bad_props"),
        ("a", {"half": "\ud800"}, "bad_props"),
        ("a", {"text": "x" * 70_000}, "too_large"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_reason(name: str, props: dict[str, Scalar], reason: str) -> None:
    with pytest.raises(BadEvent) as refused:
        event_of(ID, name, NOW, props)
    assert refused.value.reason == reason


def test_a_call_has_the_events_in_their_order_and_when_it_was_sent() -> None:
    rows = [(7, event_of(ID, "a", NOW, {})), (9, event_of(ID, "b", NOW, {"n": 1}))]
    request = ingest_request(OPTIONS, "token", rows, NOW)
    body = msgspec.json.decode(request.body)
    assert request.url == "https://pulse.example.org/telemetry/ingest"
    assert request.headers == {"Content-Type": "application/json", "Authorization": "Bearer token"}
    assert body["sentAt"] == "2026-03-01T12:00:00Z"
    assert [(event["seq"], event["name"]) for event in body["events"]] == [(7, "a"), (9, "b")]
    assert request.rows == rows


@given(st.integers(1, 200))
def test_long_bodies_are_gzipped(events: int) -> None:
    rows = [(number, event_of(ID, "something", NOW, {})) for number in range(events)]
    request = ingest_request(OPTIONS, "token", rows, NOW)
    is_packed = request.headers.get("Content-Encoding") == "gzip"
    body = gzip.decompress(request.body) if is_packed else request.body
    assert is_packed == (len(body) >= PACKED_FROM)
    assert len(msgspec.json.decode(body)["events"]) == events


def test_a_start_says_what_is_known_and_has_no_token() -> None:
    request = start_request(OPTIONS, None, "2026-01")
    assert msgspec.json.decode(request.body) == {
        "consentVersion": "2026-01",
        "appVersion": "1.2",
        "platform": "linux",
        "replace": False,
    }
    assert "Authorization" not in request.headers


def test_a_label_never_makes_a_start_fail() -> None:
    options = msgspec.structs.replace(OPTIONS, app_version="1.2\x00\n" + "x" * 100)
    body = msgspec.json.decode(start_request(options, str(ID), None).body)
    assert body["appVersion"] == "1.2" + "x" * 61
    assert body["installationId"] == str(ID)


def test_the_other_calls() -> None:
    assert msgspec.json.decode(withdraw_request(OPTIONS, "token", erase=True).body) == {"erase": True}
    alive = bare_request(OPTIONS, Kind.STILL_ALIVE, "token")
    assert (alive.url, alive.body) == ("https://pulse.example.org/telemetry/still-alive", b"")
    assert alive.headers == {"Authorization": "Bearer token"}
