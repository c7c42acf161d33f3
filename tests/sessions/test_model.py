"""Settings that contradict each other are refused before anything starts."""

import pytest

from pulsekeeper.errors import Contradiction
from pulsekeeper.scalars import Duration
from pulsekeeper.sessions.model import Settings


def test_a_client_must_be_able_to_miss_one_sign_of_life() -> None:
    Settings(still_alive=Duration(minutes=30), timeout=Duration(hours=1))

    with pytest.raises(Contradiction, match="at most half of timeout, which is 1h"):
        Settings(still_alive=Duration(minutes=31), timeout=Duration(hours=1))


def test_what_a_retry_is_recognised_by_is_kept_for_as_long_as_it_may_come() -> None:
    Settings(retention=Duration(days=9))

    with pytest.raises(Contradiction, match="max_length, late and early together"):
        Settings(retention=Duration(days=8))
