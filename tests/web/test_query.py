import pytest
from msgspec import Struct

from pulsekeeper.errors import Invalid
from pulsekeeper.web.query import decode_public_query, decode_query
from pulsekeeper.web.wire import Request


class Wanted(Struct, rename="camel"):
    user_id: str
    export: str = "0"


class Said(Struct, rename="camel"):
    user_id: str | None = None
    is_new: bool = True


def said(query: bytes) -> Said:
    return decode_public_query(Request(method="GET", path="/", query_string=query), Said)


def decoded(query: bytes) -> Wanted:
    return decode_query(Request(method="GET", path="/", query_string=query), Wanted)


def faults(query: bytes) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refusal:
        decoded(query)
    return [(fault.pointer, fault.detail) for fault in refusal.value.faults]


def test_fields_are_read_by_their_names() -> None:
    assert decoded(b"userId=a%20b&export=1") == Wanted(user_id="a b", export="1")


def test_what_is_missing_and_what_is_unknown_is_told_at_once() -> None:
    assert {pointer for pointer, _ in faults(b"userid=a")} == {"/userId", "/userid"}


def test_a_field_that_is_given_twice_is_refused() -> None:
    assert faults(b"userId=a&userId=b") == [("/userId", "is given more than once")]


@pytest.mark.parametrize(("word", "meant"), [(b"true", True), (b"1", True), (b"false", False), (b"0", False)])
def test_a_page_may_know_more_and_has_four_words_for_truth(word: bytes, meant: bool) -> None:
    assert said(b"isNew=" + word + b"&userId=1&color=red") == Said(user_id="1", is_new=meant)


@pytest.mark.parametrize("word", [b"", b"yes", b"null", b"TRUE"])
def test_another_word_for_truth_is_refused(word: bytes) -> None:
    with pytest.raises(Invalid) as refusal:
        said(b"isNew=" + word)
    assert [fault.pointer for fault in refusal.value.faults] == ["/isNew"]
