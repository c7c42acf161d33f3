"""Every fault at once, each at its place, and never a verdict that differs from msgspec's."""

from contextlib import suppress
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct, UnsetType

from pulsekeeper.errors import Clash, Contradiction, Fault, Invalid
from pulsekeeper.scalars import Duration, Secret
from pulsekeeper.validation import Unknown, convert, decode_hook, decode_json, to_builtins


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Leaf(Struct, frozen=True, tag="leaf"):
    size: Annotated[int, Meta(ge=1, le=9)]


class Branch(Struct, frozen=True, tag="branch"):
    parts: "list[Leaf | Branch]"


class Range(Struct, frozen=True):
    low: int = 0
    high: int = 9

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("expected 'low' to be at most 'high'")


class Campaign(Struct, frozen=True, rename="camel"):
    release_id: Annotated[str, Meta(min_length=1)]
    priority: Annotated[int, Meta(ge=1)] = 1
    color: Color = Color.RED
    tree: Leaf | Branch | None = None
    wait: Duration = Duration(seconds=1)
    key: Secret = Secret("")
    counts: dict[Annotated[str, Meta(pattern="^[a-z]+$")], int] = {}
    names: Annotated[list[str], Meta(max_length=2)] = []
    pair: tuple[int, str] | None = None
    range: Range = Range()
    note: str | UnsetType = UNSET


class Window(Struct, frozen=True):
    opens: int = 0
    closes: int = 9
    label: Annotated[str, Meta(max_length=3)] = ""

    def __post_init__(self) -> None:
        if self.opens > self.closes:
            raise Contradiction(Clash(("opens", "closes"), "it would close before it opens"))


class Strict(Struct, frozen=True, forbid_unknown_fields=True):
    id: UUID | None = None


def faults(value: object, to: Any = Campaign, unknown: Unknown = "refuse") -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        convert(value, to, unknown=unknown)
    return {fault.pointer: fault.detail for fault in caught.value.faults}


def refusal(raw: bytes, to: Any = Campaign, unknown: Unknown = "ignore") -> Invalid:
    with pytest.raises(Invalid) as caught:
        decode_json(raw, to, unknown=unknown)
    return caught.value


def test_a_valid_document_becomes_its_struct() -> None:
    raw = b'{"releaseId": "3.1", "wait": "1h30m", "key": "s", "tree": {"type": "leaf", "size": 3}, "pair": [1, "a"]}'

    campaign = decode_json(raw, Campaign, unknown="refuse")

    assert ("3.1", Duration(hours=1.5), "s") == (campaign.release_id, campaign.wait, campaign.key.reveal())
    assert (Leaf(3), (1, "a")) == (campaign.tree, campaign.pair)


def test_all_faults_are_told_at_once_each_at_its_place() -> None:
    assert faults(
        {
            "releaseId": "",
            "priority": "x",
            "color": "reed",
            "wait": 5,
            "names": ["a", None],
            "counts": {"a/b~": 1},
            "prioritty": 3,
        }
    ) == {
        "/releaseId": "expected a string of at least 1 character, got ''",
        "/priority": "expected an integer of at least 1, got 'x'",
        "/color": "expected one of 'red', 'blue', got 'reed'",
        "/wait": "expected a duration such as '80ms', '30s', '24h' or '7d', got 5",
        "/names/1": "expected a string, got null",
        "/counts/a~1b~0": "as a key, expected a string matching '^[a-z]+$', got 'a/b~'",
        "/prioritty": "unknown key 'prioritty'; did you mean 'priority'?",
    }


def test_a_missing_member_is_told_at_the_place_where_it_belongs() -> None:
    assert faults({}) == {"/releaseId": "missing: expected a string of at least 1 character"}


@pytest.mark.parametrize(
    ("tree", "place", "detail"),
    [
        ({"type": "tree"}, "/tree/type", "expected one of 'leaf', 'branch', got 'tree'"),
        ({"size": 1}, "/tree/type", "missing: expected one of 'leaf', 'branch'"),
        ({"type": "leaf", "size": 0}, "/tree/size", "expected an integer of at least 1 and of at most 9, got 0"),
        (7, "/tree", "expected an object or null, got 7"),
        (
            {"type": "branch", "parts": [{"type": "leaf", "size": 1}, {"type": "leaf"}]},
            "/tree/parts/1/size",
            "missing: expected an integer of at least 1 and of at most 9",
        ),
    ],
)
def test_a_tagged_union_is_followed_to_the_fault(tree: object, place: str, detail: str) -> None:
    assert {place: detail} == faults({"releaseId": "1", "tree": tree})


@pytest.mark.parametrize(
    ("member", "detail"),
    [
        ({"names": ["a", "b", "c"]}, "expected a list of at most 2 items, got a list with 3 items"),
        ({"pair": [1]}, "expected a list or null, got a list with 1 item"),
        ({"range": {"low": 5, "high": 1}}, "expected 'low' to be at most 'high'"),
    ],
)
def test_what_is_wrong_between_the_parts_is_told_at_the_whole(member: dict[str, object], detail: str) -> None:
    assert {"/" + next(iter(member)): detail} == faults({"releaseId": "1", **member})


def test_unknown_keys_are_ignored_where_that_is_asked_for() -> None:
    assert decode_json(b'{"releaseId": "1", "later": {"a": 1}}', Campaign, unknown="ignore").release_id == "1"


def test_a_struct_that_forbids_unknown_keys_has_the_last_word() -> None:
    assert faults({"idd": None}, Strict, "ignore") == {"/idd": "unknown key 'idd'; did you mean 'id'?"}


def test_members_that_contradict_each_other_are_told_beside_what_is_wrong_with_others() -> None:
    """What a whole says about its parts used to be kept quiet as long as there was any other fault."""
    assert faults({"opens": 5, "closes": 1, "label": "long", "lable": ""}, Window) == {
        "/label": "expected a string of at most 3 characters, got 'long'",
        "/lable": "unknown key 'lable'; did you mean 'label'?",
        "/opens": "it would close before it opens",
    }
    assert faults({"opens": 5, "closes": 1}, Window) == {"/opens": "it would close before it opens"}


def test_a_contradiction_with_a_member_that_is_wrong_itself_is_not_told() -> None:
    assert [*faults({"opens": 10, "closes": "noon"}, Window)] == ["/closes"]


class Wrapped(Struct, frozen=True):
    """What an operator sends, with something inside that a page has sent."""

    inner: Range = Range()
    other: Range = Range()


def test_unknown_keys_can_be_ignored_within_one_struct_alone() -> None:
    """An operator who tried out a page's request was not told of misspelt keys in their own part."""
    document = {"inner": {"lwo": 1}, "other": {"low": 1}, "more": 1}

    with pytest.raises(Invalid) as caught:
        convert(document, Wrapped, unknown="refuse", lenient=(Range,))
    assert [fault.pointer for fault in caught.value.faults] == ["/more"]


class Word(str):
    """A scalar that reads itself."""

    __slots__ = ()
    EXPECTED: ClassVar[str] = "a word in capitals"

    @classmethod
    def parse(cls, text: str) -> "Word":
        if not text.isupper():
            raise ValueError(f"expected {cls.EXPECTED}, got {text!r}")
        return cls(text)


class Said(Struct, frozen=True):
    words: tuple[Word, ...]


def test_any_class_that_reads_itself_is_a_scalar() -> None:
    assert to_builtins(convert({"words": ["YES"]}, Said, unknown="refuse")) == {"words": ("YES",)}
    assert faults({"words": ["YES", "no", 7]}, Said) == {
        "/words/1": "expected a word in capitals, got 'no'",
        "/words/2": "expected a word in capitals, got 7",
    }


class Holder(Struct):
    key: Annotated[Secret | None, Meta(description="hidden")] = None
    inner: Strict = Strict()


@pytest.mark.parametrize("value", [["hunter2"], {"hunter2": "hunter2"}, 4711])
def test_what_was_written_in_place_of_a_secret_is_not_repeated(value: object) -> None:
    assert faults({"key": value}, Holder) == {"/key": "expected a string or null"}


def test_a_secret_in_place_of_a_whole_section_is_not_repeated() -> None:
    assert faults({"inner": "hunter2"}, Holder) == {"/inner": "expected an object, got a string"}


def test_a_long_input_is_repeated_in_part_only() -> None:
    (detail,) = faults({"releaseId": "1", "color": "x" * 500}).values()

    assert f"expected one of 'red', 'blue', got '{'x' * 64}…'" == detail


def test_the_list_of_faults_is_bounded() -> None:
    found = refusal(msgspec.json.encode({"releaseId": "1", "names": [1] * 90})).faults

    assert (51, Fault("", "… and more")) == (len(found), found[-1])


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"", "the document is not JSON: it is empty"),
        (b'{"releaseId":', "the document is not JSON: it ends too early"),
        (b'{"a":\n\n,}', "the document is not JSON: invalid character at byte 7, line 3"),
        (b'{"a": "\xff"}', "the document is not UTF-8: invalid start byte at byte 7, line 1"),
        (b"[" * 33 + b"]" * 33, "the document is nested deeper than 32 levels"),
        (b'{"a":' * 90_000, "the document is nested deeper than 32 levels"),
        (b'[1, "', "the document is not JSON: it ends too early"),
    ],
)
def test_what_is_not_json_is_refused_with_its_position(raw: bytes, detail: str) -> None:
    assert detail == refusal(raw).detail


@pytest.mark.parametrize("raw", [b"9" * 5000, b"[1e999]", b'"\\ud800"', b'{"a": "\x00"}', b'\xef\xbb\xbf{"a": 1}'])
def test_what_no_machine_can_hold_is_refused(raw: bytes) -> None:
    assert refusal(raw, to=dict).status == 400


def test_brackets_inside_strings_are_not_levels() -> None:
    assert decode_json(b'["\\"' + b"[" * 99 + b'"]', list, unknown="ignore") == ['"' + "[" * 99]


def test_nul_characters_are_refused_in_strings_and_in_keys() -> None:
    found = refusal(b'{"releaseId": "1", "more": [{"x": "a\\u0000"}, {"\\u0000": 1}]}').faults

    assert {
        Fault("/more/0/x", "contains a NUL character, which cannot be stored"),
        Fault("/more/1", "has a key with a NUL character, which cannot be stored"),
    } == set(found)


def test_a_backslash_before_u0000_is_no_nul_character() -> None:
    assert decode_json(b'"\\\\u0000"', str, unknown="ignore") == "\\u0000"


def test_a_recursive_input_is_refused() -> None:
    loop: dict[str, Any] = {"type": "branch"}
    loop["parts"] = [loop]

    with pytest.raises(Invalid, match="nested deeper than 32 levels"):
        convert(loop, Branch, unknown="ignore")


def test_to_builtins_writes_durations_as_people_do_and_masks_secrets() -> None:
    written = to_builtins(Campaign("1", wait=Duration(hours=1), key=Secret("hunter2")))

    assert isinstance(written, dict)
    assert (written["wait"], written["key"]) == ("1h", "•••")


names = st.sampled_from(
    ["releaseId", "priority", "tree", "type", "parts", "size", "names", "pair", "range", "low", "id"]
)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9) | names,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(names | st.text(max_size=4), inner, max_size=5)
        | st.fixed_dictionaries({"type": st.sampled_from(["leaf", "branch"])}, optional={"size": inner, "parts": inner})
        | st.fixed_dictionaries({"releaseId": st.text()}, optional={"tree": inner, "range": inner, "wait": inner})
    ),
    max_leaves=12,
)
shapes = st.sampled_from([Campaign, Leaf | Branch, Strict, list[Strict], dict[str, Range], int | list[str] | None])


def plainly(value: object, to: Any) -> object:
    return msgspec.convert(value, to, dec_hook=decode_hook, str_keys=True)


@given(documents, shapes)
def test_the_verdict_is_msgspecs(document: object, to: Any) -> None:
    raw = msgspec.json.encode(document)
    try:
        expected = plainly(msgspec.json.decode(raw), to)
    except msgspec.ValidationError:
        assert refusal(raw, to).faults
        assert faults(msgspec.json.decode(raw), to)
    else:
        if b"\\u0000" not in raw:
            assert to_builtins(expected) == to_builtins(decode_json(raw, to, unknown="ignore"))


@given(st.binary(max_size=40) | st.text(alphabet='{}[]":,\\u0d8e1 ', max_size=40).map(str.encode), shapes)
def test_any_bytes_are_either_accepted_or_invalid(raw: bytes, to: Any) -> None:
    with suppress(Invalid):
        decode_json(raw, to, unknown="refuse")
