import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.sessions.usage.percentiles import Together, percentile

LENGTHS = st.lists(st.integers(0, 200_000_000_000).map(lambda microseconds: microseconds / 1_000_000))


def test_it_lies_between_two_neighbours() -> None:
    assert [percentile([1.0, 2.0, 4.0], fraction) for fraction in (0.0, 0.25, 0.5, 0.75, 1.0)] == [1, 1.5, 2, 3, 4]
    assert percentile([], 0.5) is None


@given(LENGTHS.filter(lambda lengths: len(lengths) > 1), st.integers(1, 99))
def test_it_is_what_the_standard_library_says(lengths: list[float], hundredth: int) -> None:
    expected = statistics.quantiles(lengths, n=100, method="inclusive")[hundredth - 1]

    assert percentile(sorted(lengths), hundredth / 100) == pytest.approx(expected)


@given(st.lists(LENGTHS))
def test_parts_are_as_if_they_were_sorted_together(parts: list[list[float]]) -> None:
    together = Together([sorted(part) for part in parts])

    assert [together[place] for place in range(len(together))] == sorted(length for part in parts for length in part)


def test_a_sum_that_was_rounded_is_the_same_length() -> None:
    """The database gives more than a day as its days and the rest, each of them rounded."""
    length = 86_400 + 0.1 + 0.2

    assert Together([[length]])[0] == pytest.approx(86_400.3, abs=1e-9)


def test_days_without_a_session_are_no_part_of_it() -> None:
    assert percentile(Together([[1.0, 3.0], [], [2.0]]), 0.5) == 2
    assert percentile(Together([[]]), 0.5) is None
