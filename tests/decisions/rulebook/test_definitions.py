"""Campaigns as texts: the same ones are the same, and what people get can be given back."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.decisions.rulebook.definitions import Difference, compare, definition, page, read_definition, unified
from pulsekeeper.decisions.rules.campaigns import Campaign
from tests.support.decisions import campaign
from tests.support.rule_strategies import campaigns

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
payloads = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        scalars | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner)
    ),
    max_size=4,
)


@given(campaigns, payloads)
def test_what_is_printed_for_people_can_be_stored_again_without_a_change(
    one: Campaign, payload: dict[str, object]
) -> None:
    stored = definition(msgspec.structs.replace(one, message_payload=payload))

    assert definition(msgspec.json.decode(page(stored), type=Campaign)) == stored
    assert definition(read_definition(stored)) == stored


def test_equal_campaigns_are_equal_texts() -> None:
    written = campaign(messagePayload={"b": 1, "a": 2}, validFrom="2026-01-01T00:00:00Z")
    otherwise = campaign(messagePayload={"a": 2, "b": 1}, validFrom="2026-01-01T02:00:00+02:00")

    assert definition(written) == definition(otherwise)


def test_people_read_only_what_was_said_in_the_order_of_the_documentation() -> None:
    stored = definition(campaign("hello", trigger={"segment": {"regions": ["US"]}, "minVisits": 2}, priority=5))

    assert json.loads(page(stored)) == {
        "id": "hello",
        "type": "onboarding",
        "action": "SHOW_BANNER",
        "priority": 5,
        "trigger": {"minVisits": 2, "segment": {"regions": ["US"]}},
    }
    assert page(stored).startswith(b'{\n  "id": "hello",\n  "type": "onboarding",\n')


def test_two_sets_are_compared() -> None:
    difference = compare({"same": 1, "other": 2, "gone": 3}, {"new": 4, "other": 5, "same": 1})

    assert difference == Difference(added=("new",), changed=("other",), removed=("gone",))
    assert not compare({"same": 1}, {"same": 1})


def test_a_diff_has_the_lines_that_differ() -> None:
    before = {"other": definition(campaign("other")), "gone": definition(campaign("gone"))}
    after = {"other": definition(campaign("other", priority=5)), "new": definition(campaign("new"))}

    lines = list(unified(before, after))

    assert [line for line in lines if line.startswith(("---", "+++"))] == [
        "--- stored/gone",
        "+++ /dev/null",
        "--- /dev/null",
        "+++ folder/new",
        "--- stored/other",
        "+++ folder/other",
    ]
    assert '+  "priority": 5' in lines


def test_what_is_the_same_has_no_diff() -> None:
    same = {"same": definition(campaign("same"))}

    assert list(unified(same, same)) == []
