"""What tests that speak over sockets share."""

import pytest
from trio.testing import MockClock


@pytest.fixture
def patient_clock() -> MockClock:
    """Time goes by only when nobody has had anything to do for a moment, and then by itself.

    So a deadline passes for want of bytes and never for want of a faster machine, and nobody has to wait for it. Both
    ends of the sockets must be in this process. It is to be an argument of the test: `usefixtures` does not reach it.
    """
    return MockClock(autojump_threshold=0.05)
