"""A schedule is made before, and nothing puts it off."""

from math import inf

import pytest

from benchmarks.schedule import Arrivals


def arrivals(rate: float = 10, seconds: float = 1) -> Arrivals:
    made = Arrivals(rate, seconds)
    made.begin(100.0)
    return made


def test_requests_are_due_at_equal_distances() -> None:
    schedule = arrivals()
    schedule.notice(100.25)

    assert list(schedule.waiting) == pytest.approx([100.0, 100.1, 100.2])
    assert schedule.next_in(100.25) == pytest.approx(0.05)
    assert not schedule.over


def test_a_late_loader_finds_all_that_is_due_and_says_how_late_it_was() -> None:
    schedule = arrivals(rate=10, seconds=0.3)
    schedule.notice(100.5)

    assert list(schedule.waiting) == pytest.approx([100.0, 100.1, 100.2])
    assert schedule.lateness == pytest.approx([0.5, 0.4, 0.3])
    assert schedule.next_in(100.5) == inf


def test_no_more_than_a_second_s_worth_waits() -> None:
    schedule = arrivals(rate=10, seconds=3)
    schedule.notice(110.0)

    assert len(schedule.waiting) == 10
    assert schedule.dropped == 20
    assert not schedule.over
    schedule.waiting.clear()
    assert schedule.over


def test_there_is_an_end_to_waiting() -> None:
    schedule = arrivals(rate=10, seconds=2)

    assert 102.0 < schedule.end < 120.0
