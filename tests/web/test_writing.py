"""Replies on the wire: written quickly, and the same as if every header were written one by one."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from pulsekeeper.scalars import Duration
from pulsekeeper.web.headers import ReplyHeaders
from pulsekeeper.web.settings import Origin, Settings
from pulsekeeper.web.wire import Header, Headers, Reply, Request
from pulsekeeper.web.writing import Writer
from tests.web.parts import NOON

SITE, OTHER = "https://site.example", "https://other.example"
DATE = b"date: Sun, 01 Mar 2026 12:00:00 GMT"
settings = st.builds(
    lambda origins, hsts: Settings(cors_origins=tuple(map(Origin, origins)), hsts=Duration(seconds=hsts)),
    st.lists(st.sampled_from([SITE, OTHER, "*"]), max_size=2),
    st.sampled_from([0, 60]),
)
headers = st.tuples(
    st.sampled_from(
        ["RateLimit", "X-A", "Vary", "cache-control", "X-Request-ID", "Access-Control-Allow-Origin", "Date"]
    ),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=5),
)
replies = st.builds(
    lambda status, body, kind, own: Reply(status=status, body=body, content_type=kind, headers=tuple(own)),
    st.sampled_from([200, 201, 204, 304, 400, 503]),
    st.sampled_from([b"", b"{}", b"\r\n\r\n"]),
    st.sampled_from([None, "application/json", "text/plain; charset=utf-8"]),
    st.lists(headers, max_size=3),
)
origins = st.sampled_from([None, b"", SITE.encode(), OTHER.encode(), b"https://evil.example"])


def asked(origin: bytes | None = None) -> Request:
    raw = [] if origin is None else [(b"origin", origin)]
    return Request(method="GET", path="/x", headers=Headers(raw), request_id="the-id")


def one_by_one(reply: Reply, carried: tuple[Header, ...], *, close: bool) -> list[bytes]:
    """Start line and fields as they have to be, the fields sorted."""
    fields = [f"{name.lower()}: {value}" for name, value in carried]
    fields += [] if reply.content_type is None else [f"content-type: {reply.content_type}"]
    fields += [] if reply.status in {204, 304} else [f"content-length: {len(reply.body)}"]
    fields += ["connection: close"] if close else []
    return [b"HTTP/1.1 %d " % reply.status, *sorted([*(field.encode() for field in fields), DATE])]


@given(settings=settings, told=st.lists(st.tuples(replies, origins, st.booleans(), st.booleans()), max_size=6))
async def test_it_is_the_same_as_writing_every_header(
    settings: Settings, told: list[tuple[Reply, bytes | None, bool, bool]]
) -> None:
    """Several with one writer: what it remembers of one reply must not get into the next."""
    carried, writer = ReplyHeaders(settings), Writer(ReplyHeaders(settings), lambda: NOON)
    for reply, origin, public, close in told:
        request = asked(origin)
        head, _, body = writer.write(reply, request, public=public, close=close).partition(b"\r\n\r\n")
        start, *fields = head.split(b"\r\n")
        expected = one_by_one(reply, carried.complete(reply, request, public=public), close=close)
        assert ([start, *sorted(fields)], body) == (expected, reply.body)


async def test_a_reply_on_the_wire() -> None:
    writer = Writer(ReplyHeaders(Settings()), lambda: NOON)
    reply = Reply(status=200, body=b"{}", content_type="application/json", headers=(("X-A", "1"), ("X-B", "2")))

    raw = writer.write(reply, asked(), public=False, close=True)
    assert raw.startswith(
        b"HTTP/1.1 200 \r\ncontent-type: application/json\r\ncontent-length: 2\r\nx-a: 1\r\nx-b: 2\r\n"
    )
    assert raw.endswith(b"\r\nx-request-id: the-id\r\nconnection: close\r\n\r\n{}")


async def test_the_date_goes_with_the_clock(autojump_clock: MockClock) -> None:
    seconds = iter(range(60))
    writer = Writer(ReplyHeaders(Settings()), lambda: datetime(2026, 3, 1, 12, 0, next(seconds), tzinfo=UTC))
    dates = []
    for _ in range(4):
        raw = writer.write(Reply(status=204), asked(), public=False, close=False)
        dates.append(raw.split(b"date: ")[1][17:25])
        autojump_clock.jump(0.5)
    assert dates == [b"12:00:00", b"12:00:00", b"12:00:01", b"12:00:01"]
