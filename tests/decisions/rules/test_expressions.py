"""What a campaign's `when` may say, and that nothing it says can hurt."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.decisions.rules.expressions import compiled, grammar
from pulsekeeper.decisions.rules.expressions.compiled import Expression
from pulsekeeper.decisions.rules.expressions.grammar import faults

VALUES: dict[str, object] = {
    "release": "2025.10.1",
    "flags": ("beta", "calendar-upgrade-v2"),
    "visitor": {"kind": "visitor", "firstVisit": False, "lastReleaseSeen": "2025.9.30", "daysSinceLastSeen": 40},
    "visits": {"today": 1, "thisWeek": 2, "total": 12},
    "attributes": {"region": "US-MA", "tags": ("a", "b"), "age": 7},
    "now": datetime(2025, 10, 15, 12, tzinfo=UTC),
    "auth": {"authenticated": True, "roles": ("organizer",)},
}
CONTEXT = compiled.context(VALUES)


@pytest.mark.parametrize(
    "source",
    [
        "true",
        "visits.total > 10 && visits.today == 1",
        'release.startsWith("2025.")',
        '"beta" in flags',
        'flags.exists(f, f.startsWith("calendar"))',
        'attributes.tags.all(t, t == "a" || t == "b")',
        'auth.roles.exists_one(r, r == "organizer") && auth.authenticated',
        'flags.filter(f, f != "beta").size() == 1',
        'has(attributes.region) && attributes.region in ["US-MA", "US-NY"]',
        "!has(attributes.locale)",
        'now > timestamp("2025-10-01T00:00:00Z") && now.getHours() == 12',
        'visitor.kind == "visitor" && visitor.daysSinceLastSeen > 30',
        "visitor.lastReleaseSeen == '2025.9.30' && !visitor.firstVisit",
        '"//".size() == 2',
    ],
)
def test_what_is_true_holds(source: str) -> None:
    assert faults(source) == []
    assert Expression(source).holds(CONTEXT)


@pytest.mark.parametrize("source", ["false", "visits.total < 0", "has(attributes.locale) && attributes.locale == 'en'"])
def test_what_is_false_does_not_hold(source: str) -> None:
    assert Expression(source).holds(CONTEXT) is False


@pytest.mark.parametrize(
    "source",
    [
        "visits.total",
        '"true"',
        "null",
        'attributes.locale == "en"',
        "1 / 0 == 1",
        "visits.total % 0 == 0",
        "9223372036854775807 + visits.total > 0",
        "attributes.age + release == release",
        "attributes.tags[7] == release",
        "visitor[release] == 1",
        'timestamp("yesterday") < now',
        'duration("99999999999h") > duration("1h") && int("x") == 1',
        "flags.exists(f, f)",
        "attributes.age.exists(a, true)",
        "Person{name: 1} == Person{name: 1}",
    ],
)
def test_a_failure_and_whatever_is_neither_true_nor_false_are_told_apart(source: str) -> None:
    assert Expression(source).holds(CONTEXT) is None


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("visitr.kind == 'x'", "visitr"),
        ("visits.total > limit", "limit"),
        ("flags.exists(f, f == g)", "g"),
        ("flags.exists(f, f == 'a') && f == 'b'", "f"),
        ("flags.exists(f, true) && flags.exists(g, f == g)", "f"),
        (".flags.size() == 1", ".flags"),
        ("visits.totl > 1", "totl"),
        ("auth.admin", "admin"),
        ("release.matches('a')", "matches"),
        ("map(flags, f, f)", "map"),
        ("visits.total > max(1, 2)", "max"),
    ],
)
def test_unknown_names_are_refused_by_name(source: str, name: str) -> None:
    assert any(repr(name) in fault for fault in faults(source))
    with pytest.raises(ValueError, match=r"unknown|has no"):
        Expression(source)


def test_a_member_of_the_client_s_own_making_may_have_any_name() -> None:
    assert faults("attributes.visits.total == 1 && has(attributes.f) && flags.exists(f, attributes.f == f)") == []


def test_all_faults_are_said_at_once() -> None:
    assert len(faults("a == 1 && b.matches('c') && visits.x == 1")) == 4


@pytest.mark.parametrize(
    "source",
    [
        "",
        " ",
        "(",
        "1 +",
        "a b",
        '"open',
        "'open",
        "flags.exists(f, true",
        "9999999999999999999 == 1",
        "a\x00b",
        "\ud800",
    ],
)
def test_what_is_not_cel_is_refused(source: str) -> None:
    (fault,) = faults(source)
    assert fault


def test_values_that_cel_cannot_hold_make_nothing_hold() -> None:
    context = compiled.context({"release": object()})
    assert Expression("true").holds(context) is None


class _Panicking:
    class PanicException(BaseException):
        """What a panic in Rust looks like from here."""

    def execute(self, _context: object) -> object:
        raise self.PanicException


def test_a_panic_in_the_library_is_a_no() -> None:
    expression = Expression("true")
    expression._program = _Panicking()  # type: ignore[assignment]  # there is no known way to make the library panic
    assert expression.holds(CONTEXT) is None


def test_an_interrupt_is_not_swallowed() -> None:
    class Interrupted:
        def execute(self, _context: object) -> object:
            raise KeyboardInterrupt

    expression = Expression("true")
    expression._program = Interrupted()  # type: ignore[assignment]  # stands for Ctrl-C at the worst moment
    with pytest.raises(KeyboardInterrupt):
        expression.holds(CONTEXT)


_SIGNS = [*".,()[]{}:?+-!/%\\'\" \n", "&&", "||", "==", "//", "'''", "'a'", "map", "has", "in", "f", "true", "1"]
_WORDS = [*grammar.VARIABLES, *grammar.FUNCTIONS, *grammar.MACROS, *_SIGNS]


@given(st.lists(st.sampled_from(_WORDS), max_size=25).map("".join) | st.text(max_size=60))
def test_any_text_is_either_refused_in_words_or_gives_a_yes_or_no_or_neither(source: str) -> None:
    found = faults(source)
    assert all(isinstance(fault, str) and fault for fault in found)
    if not found:
        assert Expression(source).holds(CONTEXT) in {True, False, None}


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("visits.total >", "it ends too early, at line 1, column 15"),
        ("visits.total = 2", "'=' does not belong there, at line 1, column 14"),
        ("'a' 'b'", "\"'b'\" does not belong there, at line 1, column 5"),
        ("flags.all(1, true)", "argument must be a simple name, at line 1, column 11"),
    ],
)
def test_what_cannot_be_parsed_is_told_without_the_grammar(source: str, sentence: str) -> None:
    """It listed what the parser would have taken, by the parser's own names."""
    assert faults(source) == [f"the expression does not compile: {sentence}"]
