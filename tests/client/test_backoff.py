"""How long the client stays away."""

import pytest

from pulsekeeper.client.backoff import LONGEST, pause_after


@pytest.mark.parametrize(
    ("failures", "ceiling"), [(1, 1.0), (2, 2.0), (5, 16.0), (9, 256.0), (10, LONGEST), (10_000, LONGEST)]
)
def test_the_ceiling_doubles_up_to_a_bound(failures: int, ceiling: float) -> None:
    assert pause_after(failures, 0.0, lambda top: top) == ceiling


def test_the_jitter_is_full() -> None:
    assert pause_after(5, 0.0, lambda _: 0.0) == 0.0


def test_it_is_never_earlier_than_asked_for_and_not_everybody_comes_at_once() -> None:
    assert pause_after(1, 30.0, lambda _: 0.0) == 30.0
    assert pause_after(1, 30.0, lambda top: top / 2) == 30.5
