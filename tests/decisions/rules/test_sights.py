"""What expressions see, and that remembering what they said of it makes no difference."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.decisions.rules.expressions import grammar, sights
from pulsekeeper.decisions.rules.expressions.compiled import Expression, context
from pulsekeeper.decisions.rules.expressions.sights import MISSING, Sight, Sights
from pulsekeeper.decisions.rules.model import Attribute
from tests.support.rules import book_of, call, campaign, reason

VALUES: dict[str, dict[str, object] | object] = {
    "release": "2025.10.1",
    "flags": ("beta", "visits"),
    "visitor": {"kind": "visitor", "firstVisit": False, "lastReleaseSeen": "2025.9.30"},
    "visits": {"today": 1, "thisWeek": 2, "total": 12},
    "attributes": {"region": "US-MA", "tags": ("a", "b"), "age": 7},
    "now": datetime(2025, 10, 15, 12, tzinfo=UTC),
    "auth": {"authenticated": True, "roles": ("organizer",)},
}


def value(path: str) -> object:
    """A somebody who is new: `visitor.daysSinceLastSeen` is missing."""
    variable, _, member = path.partition(".")
    whole = VALUES[variable]
    return whole.get(member, MISSING) if member and isinstance(whole, dict) else whole


def seen(expression: Expression) -> bool | None:
    """What it says when it sees no more than it looks at."""
    return Sight({path: value(path) for path in Sights([expression]).paths}).holds(expression)


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("visits.today > 2 && 'calendar' in flags", {"visits.today", "flags"}),
        ("visits . total > 2", {"visits.total"}),
        ("has(attributes.plan) && attributes.plan.startsWith('f')", {"attributes.plan"}),
        ("attributes.visits == 1", {"attributes.visits"}),
        ("attributes['plan'] == 'free'", {"attributes"}),
        ("size(attributes) == 0", {"attributes"}),
        ("attributes.size() == 0", {"attributes"}),
        ("visits['today'] == 1", {"visits.today", "visits.thisWeek", "visits.total"}),
        ("'visits.today' == release", {"release"}),
        ("visits.today == 1 && visits != {}", {"visits.today", "visits.thisWeek", "visits.total"}),
        ("flags.exists(f, f == release)", {"flags", "release"}),
        ("true", set()),
    ],
)
def test_an_expression_is_shown_what_it_looks_at(source: str, paths: set[str]) -> None:
    assert Expression(source).paths == paths


@pytest.mark.parametrize("source", [".visits.today == 1", "1 in [.visits.total, visits.today]", "!(.visits.today > 1)"])
def test_a_variable_has_no_dot_before_it(source: str) -> None:
    """What an expression looks at is read from its text, where this would seem to be the member of something."""
    assert any("unknown variable '.visits'" in fault for fault in grammar.faults(source))


_MEMBERS = [f"{variable}.{member}" for variable, members in grammar.VARIABLES.items() for member in members]
_TERMS = [
    *_MEMBERS,
    *grammar.VARIABLES,
    *("attributes.age", "attributes.plan", "attributes.region", "attributes['region']", "visits['today']", "f"),
    *(".visits.total", "flags.exists(visits, visits == 'beta')", "flags.exists(f, f == 'beta')", "attributes.tags"),
    *("1", "12", "'beta'", "true", "has(visitor.daysSinceLastSeen)", "has(attributes.plan)", "size(visits)"),
]
_SIGNS = [" && ", " || ", " == ", " != ", " > ", " + ", " in ", ".", " ? ", " : ", "[", "]", "(", ")", ".size()", "!"]


@given(st.lists(st.sampled_from(_TERMS) | st.sampled_from(_SIGNS), min_size=1, max_size=7).map("".join))
def test_who_sees_no_more_than_that_says_the_same(source: str) -> None:
    if not grammar.faults(source):
        expression = Expression(source)
        assert seen(expression) == expression.holds(context(dict(VALUES)))


@given(
    st.sampled_from([*_MEMBERS, *grammar.VARIABLES, "attributes.age", "attributes.plan", "attributes['age']"]),
    st.sampled_from([" == ", " > ", " in ", " != "]),
    st.sampled_from(_TERMS),
)
def test_a_comparison_says_the_same(left: str, sign: str, right: str) -> None:
    source = f"{left}{sign}{right}"
    if not grammar.faults(source):
        expression = Expression(source)
        assert seen(expression) == expression.holds(context(dict(VALUES)))


def test_what_python_takes_for_equal_is_told_apart() -> None:
    """Remembered answers once could have been those to another type."""
    book = book_of(campaign(trigger={"when": "string(attributes.n) == '1'"}))
    for number, expected in ((1.0, "shown"), (True, "expression"), (1, "shown"), ("1", "shown"), (1, "shown")):
        fresh = book_of(campaign(trigger={"when": "string(attributes.n) == '1'"}))
        request = call(attributes={"n": number})
        assert reason(book, None, request) == reason(fresh, None, request) == expected
    zero = book_of(campaign(trigger={"when": "1.0 / attributes.n > 0.0"}))
    assert [reason(zero, None, call(attributes={"n": n})) for n in (0.0, -0.0, 0.0)] == ["shown", "expression", "shown"]


@given(st.lists(st.sampled_from([1, 1.0, True, "1", "1.0", "True", 0.0, -0.0, "0.0", False, ("1.0",), (), ""])))
def test_a_number_is_not_what_is_written_the_same(values: list[Attribute]) -> None:
    """Whoever sends `"1.0"` does not get the answer to whoever sent 1.0, nor the other way round."""
    expression = Expression("attributes.n == 1.0")
    group = Sights([expression])
    for value in values:
        assert group.of((value,)).holds(expression) == expression.holds(context({"attributes": {"n": value}}))


def test_expressions_that_look_at_the_time_are_asked_each_time() -> None:
    group = Sights([Expression("now > timestamp('2025-10-01T00:00:00Z')")])
    assert group.of((VALUES["now"],)) is not group.of((VALUES["now"],))


def test_the_same_values_are_seen_once_and_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sights, "MOST_ANSWERS", 20)
    group = Sights([Expression("visits.today > 1")])
    assert group.of((1,)) is group.of((1,))
    for number in range(50):
        assert group.of((number,)).holds(Expression("visits.today > 1")) == (number > 1)
        assert len(group._known) <= 20


def test_large_things_are_remembered_as_far_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may send a list of long texts, and another one the next time."""
    monkeypatch.setattr(sights, "MOST_TEXT", 10_000)
    expression = Expression("'x' in attributes.tags || attributes.plan == 'free'")
    group = Sights([expression])
    for number in range(200):
        free = number % 3 == 0
        assert group.of(("free" if free else f"{number}", (f"{number:0256}",) * 5)).holds(expression) == free
        assert len(str(list(group._known))) <= 10_000


def test_only_what_is_looked_at_now_is_held_in_cel() -> None:
    """Whoever was seen before says the same when they are seen again, of another expression, too."""
    one, other = Expression("visits.today > 1"), Expression("visits.today > 2")
    group = Sights([one, other])
    for number in range(5):
        group.of((number,)).holds(one)
    assert [seen for seen in group._known.values() if seen._context is not None] == [group.of((4,))]
    assert [group.of((number,)).holds(other) for number in range(5)] == [False, False, False, True, True]
