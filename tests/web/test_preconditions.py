"""Which writes may go on, and which reads need not be answered again."""

import pytest

from pulsekeeper.errors import Invalid
from pulsekeeper.web.preconditions import check_preconditions, etag, json_unless_known
from pulsekeeper.web.problems import PreconditionFailed
from pulsekeeper.web.wire import Headers, Request

HERE = b'{"version": 1}'
TAG = etag(HERE)
OTHER = etag(b'{"version": 2}')


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(method="PUT", path="/", headers=Headers(raw))


def test_a_tag_is_quoted_and_strong_and_names_the_bytes() -> None:
    assert etag(bytes(HERE)) == TAG
    assert TAG != OTHER
    assert TAG.startswith('"')
    assert TAG.endswith('"')


@pytest.mark.parametrize(
    ("headers", "present"),
    [
        ({}, HERE),
        ({}, None),
        ({"if_match": TAG}, HERE),
        ({"if_match": f"{OTHER}, {TAG}"}, HERE),
        ({"if_match": "*"}, HERE),
        ({"if_none_match": "*"}, None),
        ({"if_none_match": OTHER}, HERE),
    ],
)
def test_a_write_goes_on(headers: dict[str, str], present: bytes | None) -> None:
    check_preconditions(request(**headers), present)


@pytest.mark.parametrize(
    ("headers", "present"),
    [
        ({"if_match": OTHER}, HERE),
        ({"if_match": f"W/{TAG}"}, HERE),
        ({"if_match": TAG}, None),
        ({"if_match": "*"}, None),
        ({"if_none_match": "*"}, HERE),
        ({"if_none_match": TAG}, HERE),
        ({"if_none_match": f"W/{TAG}"}, HERE),
        ({"if_match": TAG, "if_none_match": "*"}, HERE),
    ],
)
def test_a_write_does_not_go_on(headers: dict[str, str], present: bytes | None) -> None:
    with pytest.raises(PreconditionFailed):
        check_preconditions(request(**headers), present)


@pytest.mark.parametrize("name", ["if_match", "if_none_match"])
@pytest.mark.parametrize("value", ["", " ", "abc", '"abc', f"{TAG}, *", f"{TAG} and more", "W/"])
def test_a_header_that_cannot_be_read_is_refused(name: str, value: str) -> None:
    with pytest.raises(Invalid, match=name.replace("_", "-")):
        check_preconditions(request(**{name: value}), HERE)


@pytest.mark.parametrize("value", [TAG, f"W/{TAG}", "*", f"{OTHER},{TAG}"])
def test_what_the_client_has_is_not_sent_again(value: str) -> None:
    reply = json_unless_known(request(if_none_match=value), HERE)

    assert (reply.status, reply.body, reply.content_type) == (304, b"", None)
    assert reply.headers == (("ETag", TAG),)


@pytest.mark.parametrize("headers", [{}, {"if_none_match": OTHER}])
def test_anything_else_is_sent_with_its_tag(headers: dict[str, str]) -> None:
    reply = json_unless_known(request(**headers), HERE)

    assert (reply.status, reply.body, reply.content_type) == (200, HERE, "application/json")
    assert reply.headers == (("ETag", TAG),)
