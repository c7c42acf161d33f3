"""Request bodies: what is taken, and that all else is refused with its faults."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.errors import Invalid
from pulsekeeper.web.bodies import decode, decode_merge_patch, decode_public
from pulsekeeper.web.problems import UnsupportedMediaType
from pulsekeeper.web.wire import Headers, Request
from tests.web.parts import Greeting


class Anything(msgspec.Struct, frozen=True):
    """Holds any document."""

    value: object = None
    names: dict[str, str] = {}


def request(body: bytes, content_type: str | None = "application/json") -> Request:
    raw = [] if content_type is None else [(b"content-type", content_type.encode())]
    return Request(method="POST", path="/", headers=Headers(raw), body=body)


def pointers(body: bytes, to: type[object] = Greeting) -> list[str]:
    with pytest.raises(Invalid) as refused:
        decode(request(body), to)
    return sorted(fault.pointer for fault in refused.value.faults)


@pytest.mark.parametrize("content_type", ["application/json", "application/merge-patch+json; charset=utf-8"])
def test_a_merge_patch_is_read_under_either_name(content_type: str) -> None:
    assert decode_merge_patch(request(b'{"firstName": "Ada"}', content_type), Greeting) == Greeting("Ada")


def test_a_body_becomes_its_struct() -> None:
    assert decode(request(b'{"firstName": "Ada", "times": 2}'), Greeting) == Greeting("Ada", 2)


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", 'APPLICATION/JSON;charset="UTF-8"', "application/json;v=1"]
)
def test_parameters_of_the_content_type_do_not_matter(content_type: str) -> None:
    assert decode(request(b'{"firstName": "Ada"}', content_type), Greeting) == Greeting("Ada")


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "text/html", "application/json; charset=utf-16", "multipart/form-data"]
)
def test_another_content_type_is_refused(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaType):
        decode(request(b'{"firstName": "Ada"}', content_type), Greeting)


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, deflate", "x"])
def test_a_packed_body_is_refused_and_not_taken_for_broken_json(encoding: str) -> None:
    raw = [(b"content-type", b"application/json"), (b"content-encoding", encoding.encode())]
    packed = Request(method="POST", path="/", headers=Headers(raw), body=b"\x1f\x8b")

    with pytest.raises(UnsupportedMediaType, match="without a Content-Encoding"):
        decode(packed, Greeting)


def test_an_identity_is_no_encoding() -> None:
    raw = [(b"content-type", b"application/json"), (b"content-encoding", b"Identity")]

    assert decode(Request(method="POST", path="/", headers=Headers(raw), body=b'{"firstName": "Ada"}'), Greeting)


def test_what_a_page_says_may_stand_in_what_an_operator_says() -> None:
    """Its unknown keys are ignored, those of the operator are not."""

    class Trial(msgspec.Struct, frozen=True):
        greeting: Greeting
        times: int = 1

    good = b'{"greeting": {"firstName": "Ada", "newer": 1}}'
    assert decode(request(good), Trial, lenient=(Greeting,)) == Trial(Greeting("Ada"))
    with pytest.raises(Invalid) as refused:
        decode(request(b'{"greeting": {"firstName": "Ada"}, "tmes": 1}'), Trial, lenient=(Greeting,))
    assert [fault.pointer for fault in refused.value.faults] == ["/tmes"]


def test_a_beacon_may_send_plain_text_and_more_than_we_know() -> None:
    body = b'{"firstName": "Ada", "newer": true}'
    assert decode_public(request(body, "text/plain;charset=UTF-8"), Greeting) == Greeting("Ada")


def test_an_operators_unknown_key_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(Invalid) as refused:
        decode(request(b'{"firstName": "Ada", "tmes": 3}'), Greeting)
    assert [fault.pointer for fault in refused.value.faults] == ["/tmes"]
    assert "times" in refused.value.faults[0].detail


def test_all_faults_are_named_at_once() -> None:
    assert pointers(b'{"firstName": 1, "times": "x"}') == ["/firstName", "/times"]


def test_of_a_key_that_is_given_twice_the_last_one_counts() -> None:
    assert decode(request(b'{"firstName": "Ada", "firstName": "Bob"}'), Greeting) == Greeting("Bob")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"{",
        b"nonsense",
        b"\xff\xfe",
        b'{"firstName": "\xc3"}',
        b'{"firstName": "\\ud800"}',
        b"[]",
        b"null",
    ],
)
def test_what_is_not_the_document_is_refused(body: bytes) -> None:
    pointers(body)


def test_a_nul_is_refused_with_its_place() -> None:
    assert pointers(b'{"firstName": "A\\u0000"}') == ["/firstName"]
    assert pointers(b'{"names": {"a": "\\u0000"}}', Anything) == ["/names/a"]
    assert pointers(b'{"value": [1, {"k\\u0000": 1}]}', Anything) != []
    assert pointers(b'{"firstName": "A\x00"}') is not None


def test_deep_nesting_and_huge_numbers_are_refused() -> None:
    for body in (b"[" * 100_000, b'{"value": ' * 50 + b"1" + b"}" * 50, b'{"value": 1e999}'):
        pointers(body, Anything)


json_documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["firstName", "times", "x"]) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(document=json_documents, public=st.booleans())
def test_any_document_is_a_struct_or_an_error_of_ours(document: object, public: bool) -> None:
    take = decode_public if public else decode
    with suppress(Invalid):
        assert isinstance(take(request(msgspec.json.encode(document)), Greeting), Greeting)


@given(body=st.binary() | st.text(alphabet='{}[]",:\\u0eE19.-ntf ').map(str.encode))
def test_any_bytes_are_a_struct_or_an_error_of_ours(body: bytes) -> None:
    for take in (decode, decode_public):
        with suppress(Invalid):
            assert isinstance(take(request(body), Anything), Anything)
