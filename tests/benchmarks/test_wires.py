"""What a loader reads from a connection: whatever came before, nothing of an answer is overlooked."""

import socket

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.wires import Response, Wire, _parsed

_STARTS = (b"HTTP/1.1 200 OK", b"HTTP/1.1 200 ", b"HTTP/1.1 503 Service Unavailable", b"HTTP/1.1 204 No Content")
_LINES = st.sampled_from(
    (b"Content-Type: application/json", b"Date: now", b"X-Request-ID: 1", b"X-Request-ID: 2", b"Connection: keep-alive")
)
_CLOSING = st.sampled_from((b"", b"", b"", b"Connection: close", b"connection:Close"))
_BODIES = st.sampled_from((b"", b"{}", b"ok", b'{"degraded":true}', b'{"degraded":tru', b"Connection: close"))


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """One answer, whose length stands anywhere among its lines."""
    start, body, closing = draw(st.sampled_from(_STARTS)), draw(_BODIES), draw(_CLOSING)
    length = draw(st.sampled_from((b"Content-Length: %d", b"content-length:%d"))) % len(body)
    lines = draw(st.permutations([length, *filter(None, [closing]), *draw(st.lists(_LINES, max_size=2))]))
    return b"\r\n".join([start, *lines, b"", body])


class _Pieces(socket.socket):
    """Gives what it is made of, piece by piece."""

    def __init__(self, pieces: list[bytes]) -> None:
        super().__init__()
        self._pieces = iter(pieces)

    def recv(self, _most: int, _flags: int = 0) -> bytes:
        return next(self._pieces)


def told(wire: Wire, pieces: list[bytes]) -> Response | None:
    """What a connection makes of pieces, which are a whole answer."""
    with _Pieces(pieces) as connection:
        wire._socket = connection
        received = [wire.receive() for _ in pieces]
    assert received[:-1] == [None] * (len(pieces) - 1)
    return received[-1]


@given(st.lists(st.tuples(answers(), st.integers(0, 200)), min_size=1, max_size=8))
def test_every_answer_is_read_as_if_it_were_the_first(told_in_turn: list[tuple[bytes, int]]) -> None:
    """A connection remembers how answers begin. That must not make it see in one what was in another."""
    wire = Wire(("127.0.0.1", 1))
    for answer, cut in told_in_turn:
        whole = _parsed(answer)[0]
        assert whole is not None
        assert told(wire, [answer[:cut], answer[cut:]] if 0 < cut < len(answer) else [answer]) == whole


def test_the_usual_answer_is_known_by_its_beginning() -> None:
    usual = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: %d\r\n\r\n{}"
    wire = Wire(("127.0.0.1", 1))
    first, second = told(wire, [usual % 1]), told(wire, [usual % 2])

    assert wire._usual is not None
    assert wire._usual.words == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
    assert (first, second) == tuple(Response(200, usual % number, 44, False) for number in (1, 2))
