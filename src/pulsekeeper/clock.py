"""What time it is. The only module that reads the system's clock; everybody else is given `now` or a `Clock`."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present as an aware UTC datetime."""


def utc_now() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)
