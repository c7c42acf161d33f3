import pytest

from pulsekeeper.decisions.rules.expressions.grammar import objections


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("1 + 1", "it gives '2' where true or false is expected"),
        ("visits.total", "it gives '3' where true or false is expected"),
        ("visits.total > 'a'", "it compares or combines values of different types"),
        ("now > 3", "it compares or combines values of different types"),
        ("release.foo == 'x'", "it compares or combines values of different types"),
        ("1 / 0 == 1", "it divides by zero"),
        ("now.getHours('Bogus/Zone') > 3", "it calls a function in a way that there is not"),
    ],
)
def test_an_expression_that_could_never_be_true_or_false_is_not_kept(source: str, sentence: str) -> None:
    """They once were saved, and refused everybody for ever."""
    assert objections(source) == [sentence]


@pytest.mark.parametrize(
    "source",
    [
        "attributes.plan == 'free'",
        "has(attributes.age) && attributes.age > 17",
        "visitor.daysSinceLastSeen > 30 || visitor.firstVisit",
        "now.getHours() > 3 && 'organizer' in auth.roles",
        "int(attributes.age) > 17",
    ],
)
def test_what_a_client_may_leave_out_is_no_fault(source: str) -> None:
    assert objections(source) == []
