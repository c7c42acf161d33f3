"""What is plain, and what is left to somebody who knows the whole of HTTP."""

import pytest

from pulsekeeper.web.plain import LONGEST_HEAD, Head, Names, head_of

START = b"POST /api/greet?a=1 HTTP/1.1"
HOST, LENGTH = b"Host: example.org", b"Content-Length: 7"


def read(*lines: bytes) -> Head | None:
    """The head that these lines make."""
    data = b"\r\n".join(lines) + b"\r\n\r\nand a body"
    return head_of(data, data.find(b"\r\n\r\n"), Names())


def test_a_plain_head() -> None:
    head = read(START, HOST, b"X-Thing:  two  words ", LENGTH, b"Connection: Keep-Alive")

    assert head is not None
    assert (head.method, head.path, head.query, head.body_length) == (b"POST", b"/api/greet", b"a=1", 7)
    assert head.fields[1] == (b"x-thing", b"two  words")
    assert (
        head.length == len(b"\r\n".join((START, HOST, b"X-Thing:  two  words ", LENGTH, b"Connection: Keep-Alive"))) + 4
    )


def test_without_a_length_there_is_no_body() -> None:
    head = read(b"GET /healthz HTTP/1.1", b"Host:")

    assert head is not None
    assert (head.body_length, head.query) == (0, b"")


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param((START, LENGTH), id="no host"),
        pytest.param((START, HOST, HOST), id="two hosts"),
        pytest.param((START, HOST, LENGTH, LENGTH), id="two lengths"),
        pytest.param((START, HOST, LENGTH, b"content-length: 8"), id="two different lengths"),
        pytest.param((START, HOST, b"Content-Length: 7, 7"), id="a list of lengths"),
        pytest.param((START, HOST, b"Content-Length: +7"), id="a sign"),
        pytest.param((START, HOST, b"Content-Length: 0x7"), id="hexadecimal"),
        pytest.param((START, HOST, b"Content-Length: 7 7"), id="a space in a length"),
        pytest.param((START, HOST, b"Content-Length:"), id="an empty length"),
        pytest.param((START, HOST, b"Content-Length: 1000000000"), id="a gigabyte"),
        pytest.param((START, HOST, b"Content-Length: \xb27"), id="a superscript"),
        pytest.param((START, HOST, b"Transfer-Encoding: chunked"), id="chunked"),
        pytest.param((START, HOST, LENGTH, b"Transfer-Encoding: chunked"), id="both lengths"),
        pytest.param((START, HOST, LENGTH, b"Transfer-Encoding : chunked"), id="a space before the colon"),
        pytest.param((START, HOST, LENGTH, b"X: a", b" Transfer-Encoding: chunked"), id="a folded line"),
        pytest.param((START, HOST, LENGTH, b"X: a", b"\tb"), id="a line folded by a tab"),
        pytest.param((START, HOST, b"X: a\nTransfer-Encoding: chunked"), id="a bare LF"),
        pytest.param((START, HOST, b"X: a\rTransfer-Encoding: chunked"), id="a bare CR"),
        pytest.param((START, HOST, b"X: a\x00b"), id="a NUL"),
        pytest.param((START, HOST, b"X: caf\xc3\xa9"), id="not ASCII"),
        pytest.param((START, HOST, b"X"), id="no colon"),
        pytest.param((START, HOST, b": x"), id="no name"),
        pytest.param((START, HOST, b"X Y: x"), id="a space in a name"),
        pytest.param((START, HOST, b"Expect: 100-continue"), id="expect"),
        pytest.param((START, HOST, b"Upgrade: websocket", b"Connection: upgrade"), id="an upgrade"),
        pytest.param((START, HOST, b"Connection: close"), id="close"),
        pytest.param((START, HOST, b"Connection: keep-alive", b"Connection: close"), id="two connections"),
        pytest.param((START, HOST, b"Connection: keep-alive, X"), id="a hop-by-hop field"),
        pytest.param((START, HOST, b"TE: trailers"), id="te"),
        pytest.param((START, HOST, b"Authorization: Bearer a", b"Authorization: Bearer b"), id="two keys"),
        pytest.param((b"POST /api/greet HTTP/1.0", HOST), id="HTTP/1.0"),
        pytest.param((b"POST /api/greet HTTP/2.0", HOST), id="HTTP/2"),
        pytest.param((b"POST /api/greet http/1.1", HOST), id="lower-case version"),
        pytest.param((b"POST  /api/greet HTTP/1.1", HOST), id="two spaces"),
        pytest.param((b"POST /api/greet  HTTP/1.1", HOST), id="two spaces behind"),
        pytest.param((b"POST http://x/api/greet HTTP/1.1", HOST), id="an absolute target"),
        pytest.param((b"POST * HTTP/1.1", HOST), id="an asterisk"),
        pytest.param((b"POST /api/greet#part HTTP/1.1", HOST), id="a fragment"),
        pytest.param((b"POST /api/greet", HOST), id="HTTP/0.9"),
        pytest.param((b"", START, HOST), id="an empty line first"),
    ],
)
def test_what_is_unusual_is_not_plain(lines: tuple[bytes, ...]) -> None:
    assert read(*lines) is None


def test_names_are_remembered_up_to_a_bound() -> None:
    names = Names()
    for number in range(5000):
        assert names.lower(b"X-%d" % number) == b"x-%d" % number

    assert len(names._known) == 1000
    assert names.lower(b"X(") is None


def test_the_longest_head() -> None:
    assert LONGEST_HEAD == 16384
