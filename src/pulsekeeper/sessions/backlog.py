"""How many bytes of events this node holds that are not committed yet."""

from collections.abc import Iterator
from contextlib import contextmanager

from pulsekeeper.errors import Overloaded

_SOON = 1.0
"""Seconds. A batch is committed in far less, unless the database is away."""


class Backlog:
    """A bound on memory, whatever the database does and however many clients there are."""

    def __init__(self, most: int) -> None:
        """`most` is in bytes."""
        self._most = most
        self.held = 0

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Count `size` bytes for as long as the block runs. Raises `Overloaded` where they would be too many."""
        if self.held + size > self._most:
            raise Overloaded("There are too many events that are not stored yet.", retry_after=_SOON)
        self.held += size
        try:
            yield
        finally:
            self.held -= size
