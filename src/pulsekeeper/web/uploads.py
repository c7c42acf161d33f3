"""How many bytes of long bodies may be on their way in at the same time, whoever sends them and however slowly."""

from types import TracebackType
from typing import Self

from pulsekeeper.errors import Overloaded

FREE = 16 * 1024
"""Bytes of each body that are not counted: all calls but the long ones get in, however many of those there are."""
MOST = 64 * 1024 * 1024
_SOON = 1.0
"""Seconds."""


class Uploads:
    """A bound on memory that holds before anybody is known: bodies are read before it is asked whose they are."""

    def __init__(self, most: int = MOST) -> None:
        """`most` is in bytes."""
        self.most = most
        self.held = 0


class Upload:
    """One body, for as long as the block runs in which it is read."""

    def __init__(self, among: Uploads) -> None:
        self._among = among
        self._held = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._among.held -= self._held

    def grown_to(self, size: int) -> None:
        """So many bytes have come by now. Raises `Overloaded` where they and all others would be too many."""
        more = max(0, size - FREE) - self._held
        if more and self._among.held + more > self._among.most:
            raise Overloaded("There are too many long bodies on their way in.", retry_after=_SOON)
        self._held += more
        self._among.held += more
