"""What can go wrong and be said to a caller. Outages and bad input are values of these kinds; everything else is a bug.

Each kind knows its HTTP status, whether trying again can help, and, where it is known, when.
"""

from collections.abc import Sequence
from typing import ClassVar

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong with an input."""

    pointer: str
    """RFC 6901 JSON pointer to the member at fault; empty for the whole document."""
    detail: str
    """A sentence for the person who has to mend it. It never repeats a secret."""


class Clash(msgspec.Struct, frozen=True):
    """What members of one object violate together, each of them being valid by itself."""

    members: tuple[str, ...]
    """Their names as they are written in the input. The fault is told at the first of them."""
    detail: str


class Contradiction(ValueError):
    """Raised by a Struct's `__post_init__` with everything that its members violate together."""

    def __init__(self, *clashes: Clash) -> None:
        super().__init__("; ".join(clash.detail for clash in clashes))
        self.clashes = clashes


class PulsekeeperError(Exception):
    """The base of all errors that are answers."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, *, retry_after: float | None = None, code: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        """A word for programs, such as `session_ended`, where the kind alone does not tell them what to do."""
        self.retry_after = retry_after
        """Seconds after which another try makes sense; `None` when nobody knows."""


class Invalid(PulsekeeperError):
    """The input breaks its contract. `faults` has everything that is wrong with it, not only the first."""

    status = 400
    title = "Invalid input"

    def __init__(self, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.faults = tuple(faults)


class Unauthorized(PulsekeeperError):
    """Nobody knows who is asking."""

    status = 401
    title = "Unauthorized"


class Forbidden(PulsekeeperError):
    """It is known who is asking, and they may not."""

    status = 403
    title = "Forbidden"


class NotFound(PulsekeeperError):
    """There is no such thing."""

    status = 404
    title = "Not found"


class Conflict(PulsekeeperError):
    """The world has moved on since the caller looked at it."""

    status = 409
    title = "Conflict"


class Overloaded(PulsekeeperError):
    """There is more work than room for it: come back later."""

    status = 503
    title = "Overloaded"
    retryable = True


class Unavailable(PulsekeeperError):
    """A part that is needed, such as the database, cannot be reached at the moment."""

    status = 503
    title = "Unavailable"
    retryable = True
