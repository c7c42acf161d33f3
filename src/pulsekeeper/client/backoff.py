"""How long to stay away after a failure: exponential with full jitter, so that clients do not come back all at once."""

from collections.abc import Callable

FIRST = 1.0
"""Seconds that the first pause may last at most."""
LONGEST = 300.0
"""Seconds that any pause may last at most, unless the service asks for a longer one."""
_MOST_DOUBLINGS = 10

Jitter = Callable[[float], float]
"""A number between 0 and its argument, each as likely as any other."""


def pause_after(failures: int, asked_for: float, jitter: Jitter) -> float:
    """Seconds until the next try, after so many failures in a row (from 1), and never before what was asked for.

    What was asked for gets a jitter on top: it was asked of everybody.
    """
    ceiling = min(LONGEST, FIRST * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))
    return asked_for + jitter(ceiling)
