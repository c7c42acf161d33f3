"""What every test of actors has: crashes are told to nobody."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Crashes are what these tests are about: to print each with its locals takes most of their time."""
    with capture_logs():
        yield
