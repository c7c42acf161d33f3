"""How many bytes of events this node holds that are not committed yet."""

from pulsekeeper.errors import Overloaded

_SOON = 1.0
"""Seconds. A batch is committed in far less, unless the database is away."""


class Backlog:
    """A bound on memory, whatever the database does and however many clients there are."""

    def __init__(self, most: int) -> None:
        """`most` is in bytes."""
        self._most = most
        self.held = 0

    def hold(self, size: int) -> "Hold":
        """For a block, as long as which `size` bytes count. Entering it raises `Overloaded` where they are too many."""
        return Hold(self, size)

    def take(self, size: int) -> None:
        """Count `size` bytes. Raises `Overloaded` where they would be too many."""
        if self.held + size > self._most:
            raise Overloaded("There are too many events that are not stored yet.", retry_after=_SOON)
        self.held += size

    def give_back(self, size: int) -> None:
        """Count them no more."""
        self.held -= size


class Hold:
    """Bytes that are counted while a block runs. A generator in its place would cost several times as much."""

    __slots__ = ("_backlog", "_size")

    def __init__(self, backlog: Backlog, size: int) -> None:
        self._backlog = backlog
        self._size = size

    def __enter__(self) -> None:
        self._backlog.take(self._size)

    def __exit__(self, *_: object) -> None:
        self._backlog.give_back(self._size)
