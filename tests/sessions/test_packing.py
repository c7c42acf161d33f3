"""The body of a call, in every form and with everything that can be wrong with it."""

import gzip
import json
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.errors import Invalid
from pulsekeeper.sessions.model import MOST_BYTES, MOST_EVENTS
from pulsekeeper.sessions.packing import Call, unpack
from pulsekeeper.web.problems import PayloadTooLarge, UnsupportedMediaType

JSON, LINES = "application/json", "application/x-ndjson"


def members(call: Call) -> list[bytes]:
    return [bytes(member) for member in call.members]


def unpacked(body: bytes, content_type: str = JSON, encoding: str = "") -> list[bytes]:
    return members(unpack(body, content_type, encoding))


def sent_at(body: bytes, otherwise: str | None = None, content_type: str = JSON) -> bytes | None:
    found = unpack(body, content_type, "", otherwise).sent_at
    return None if found is None else bytes(found)


@pytest.mark.parametrize(
    "content_type", [JSON, "text/plain", "TEXT/Plain; x=1; charset=UTF-8", f'{JSON};charset="utf8"']
)
@pytest.mark.parametrize("body", [b'{"events": [{"a": 1}, 2]}', b' [{"a": 1} ,2]\n'], ids=["object", "array"])
def test_json_is_an_object_with_events_or_an_array_of_them(body: bytes, content_type: str) -> None:
    assert unpacked(body, content_type) == [b'{"a": 1}', b"2"]


def test_ndjson_has_an_event_on_each_line_that_is_not_blank() -> None:
    found = unpacked(b'{"a": 1}\r\n\n  \n no json \n[2]', LINES)

    assert [line.strip() for line in found] == [b'{"a": 1}', b"no json", b"[2]"]


def test_no_events_are_fine() -> None:
    assert (unpacked(b"[]"), unpacked(b'{"events": []}'), unpacked(b"", LINES)) == ([], [], [])


def test_the_time_of_sending_comes_with_the_events_or_beside_them() -> None:
    assert sent_at(b'{"events": [], "sentAt": "in"}', "out") == b'"in"'
    assert sent_at(b'{"events": [], "sentAt": null}', "out") == b'"out"'
    assert sent_at(b"[]", "out") == b'"out"'
    assert sent_at(b"", 'o"ut', LINES) == b'"o\\"ut"'
    assert sent_at(b'{"events": []}') is None


def test_of_a_key_that_is_given_twice_the_last_one_counts() -> None:
    assert unpacked(b'{"events": [1], "events": [2], "other": 3}') == [b"2"]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"{", b"[1,", b"[1]]", b"[NaN]", b"[01]", b"[1,]", b'["\x00"]', b"\xff", b"\xef\xbb\xbf[]", b"no"),
        *(b"5", b"null", b"{}", b'{"events": null}', b'{"events": {}}', b'"[]"'),
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"events": [' + b'{"a":' * 100_000,
    ],
)
def test_what_is_no_json_with_events_is_refused_in_a_sentence(body: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        unpack(body, JSON, "")
    assert refused.value.detail.startswith("The body is ")


@pytest.mark.parametrize(
    "content_type",
    ["", "application/xml", "application/jsonl", f"{JSON}; charset=latin-1", "multipart/form-data; boundary=x", "\0"],
)
def test_other_formats_are_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        unpack(b"[]", content_type, "")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd", "gzip,"])
def test_other_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        unpack(b"[]", JSON, encoding)


@pytest.mark.parametrize(("content_type", "body"), [(JSON, b"[1, 2]"), (LINES, b"1\n2\n")])
@pytest.mark.parametrize("encoding", ["gzip", " GZIP ", "x-gzip"])
def test_gzip_is_unpacked(content_type: str, body: bytes, encoding: str) -> None:
    assert unpacked(gzip.compress(body), content_type, encoding) == [b"1", b"2"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        gzip.compress(b"[1]")[:-1],
        gzip.compress(b"[1]")[:5],
        gzip.compress(b"[1]") + b"\0",
        gzip.compress(b"[1") + gzip.compress(b"]"),
        gzip.compress(b"[1]")[:-8] + bytes(8),
        zlib.compress(b"[1]"),
    ],
    ids=["empty", "plain", "cut", "a head", "garbage", "two members", "a wrong sum", "zlib"],
)
def test_what_is_not_one_whole_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        unpack(body, JSON, "gzip")


def test_a_gzip_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(32 * MOST_BYTES))
    tracemalloc.start()
    with pytest.raises(PayloadTooLarge):
        unpack(bomb, JSON, "gzip")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 4 * MOST_BYTES


@pytest.mark.parametrize("encoding", ["", "gzip"])
@pytest.mark.parametrize(("size", "is_taken"), [(MOST_BYTES, True), (MOST_BYTES + 1, False)])
def test_a_mebibyte_is_taken_and_a_byte_more_is_not(size: int, is_taken: bool, encoding: str) -> None:
    body = b"[" + b" " * (size - 2) + b"]"
    wire = gzip.compress(body) if encoding else body

    if is_taken:
        assert unpacked(wire, JSON, encoding) == []
    else:
        with pytest.raises(PayloadTooLarge, match="1048576 bytes"):
            unpack(wire, JSON, encoding)


@pytest.mark.parametrize(("content_type", "most"), [(JSON, b"[" + b"1," * 499 + b"1"), (LINES, b"1\n" * 500)])
def test_500_events_are_taken_and_one_more_is_not(content_type: str, most: bytes) -> None:
    end = b"]" if content_type == JSON else b""

    assert len(unpacked(most + end, content_type)) == MOST_EVENTS
    with pytest.raises(PayloadTooLarge, match="500 events"):
        unpack(most + (b",1]" if end else b"1"), content_type, "")


def test_half_a_character_spoils_its_event_and_not_the_call() -> None:
    r"""JavaScript cuts strings in the middle of an emoji, and writes what is left as `\ud83d`."""
    body = rb'["\ud83d", "\uD83D\uDE00", "\ude00\ud83d", "\\ud83d", "\\\ud83d", 5]'

    halves = ["\0", "\N{GRINNING FACE}", "\0\0", r"\ud83d", "\\\0", 5]
    assert [json.loads(each) for each in unpacked(body)] == halves
    assert [json.loads(each) for each in unpacked(body[1:-1].replace(b", ", b"\n"), LINES)] == halves


values = st.recursive(
    st.none() | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(values, max_size=5))
def test_members_come_out_as_they_were_put_in(sent: list[object]) -> None:
    lines = [json.dumps(value) for value in sent]

    assert [json.loads(each) for each in unpacked(json.dumps(sent).encode())] == sent
    assert [json.loads(each) for each in unpacked("\r\n".join(lines).encode(), LINES)] == sent


@given(st.binary(max_size=100), st.sampled_from([JSON, LINES]), st.sampled_from(["", "gzip"]))
def test_any_bytes_are_a_call_or_invalid(body: bytes, content_type: str, encoding: str) -> None:
    try:
        call = unpack(body, content_type, encoding)
    except Invalid:
        return
    assert len(call.members) <= len(body)
