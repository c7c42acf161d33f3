"""Requests and replies."""

import time
from datetime import UTC, datetime

import pytest

from pulsekeeper.errors import Invalid
from pulsekeeper.scalars import Duration, Secret
from pulsekeeper.web.wire import Headers, Request, json_reply, parse_query
from tests.web.parts import Echo


def test_headers_are_found_by_lower_case_name_and_joined() -> None:
    headers = Headers([(b"x-a", b"1"), (b"host", b"h"), (b"x-a", b"\xe9")])
    assert headers.get("x-a") == "1, \xe9"
    assert headers.get("x-b") is None


def test_headers_are_found_whatever_else_there_is() -> None:
    """In as many steps as there are fields: looking for each name in all of them took half a second of everybody's."""
    raw = [(b"%d" % (number % 2000), b"v%d" % number) for number in range(4000)]
    began = time.process_time()
    headers = Headers(raw)
    assert [headers.get(str(number)) for number in range(2000)] == [f"v{n}, v{n + 2000}" for n in range(2000)]
    assert time.process_time() - began < 0.1


def test_a_query_keeps_all_values_and_empty_ones() -> None:
    request = Request(method="GET", path="/", query_string=b"a=1&b=&a=%C3%A9+x")
    assert request.query == {"a": ("1", "é x"), "b": ("",)}
    assert (request.first("a"), request.first("c")) == ("1", None)


@pytest.mark.parametrize("raw", [b"a=%ff", b"\xff", b"a=%00", b"&".join([b"a=1"] * 101)])
def test_a_query_that_is_not_text_or_is_too_long_is_refused(raw: bytes) -> None:
    with pytest.raises(Invalid):
        parse_query(raw)


def test_a_reply_is_camel_case_with_times_in_utc() -> None:
    reply = json_reply(Echo("Ada", datetime(2026, 3, 1, 12, tzinfo=UTC)), status=201)
    assert (reply.status, reply.content_type) == (201, "application/json")
    assert reply.body == b'{"firstName":"Ada","saidAt":"2026-03-01T12:00:00Z"}'


def test_durations_have_a_form_on_the_wire_and_secrets_have_none() -> None:
    assert json_reply([Duration(seconds=90)]).body == b'["90s"]'
    with pytest.raises(NotImplementedError):
        json_reply(Secret("hush"))
