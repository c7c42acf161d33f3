"""How many bytes may wait for their commit."""

import pytest

from pulsekeeper.errors import Overloaded
from pulsekeeper.sessions.backlog import Backlog


def test_what_is_held_is_counted_until_it_is_let_go() -> None:
    backlog = Backlog(10)
    with backlog.hold(6), backlog.hold(4):
        assert backlog.held == 10
    assert backlog.held == 0


def test_what_would_be_too_much_is_refused_and_changes_nothing() -> None:
    backlog = Backlog(10)
    with backlog.hold(6):
        with pytest.raises(Overloaded) as refusal, backlog.hold(5):
            pytest.fail("there is no room for it")
        assert refusal.value.retry_after == 1.0
        assert backlog.held == 6


def test_a_call_that_fails_lets_go_of_what_it_held() -> None:
    backlog = Backlog(10)
    with pytest.raises(ValueError, match="a bug"), backlog.hold(6):
        raise ValueError("a bug")
    assert backlog.held == 0
