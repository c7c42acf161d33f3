"""Who is started again, how often, and how soon. Arithmetic only."""

from collections import deque
from enum import Enum

import msgspec


class Restart(Enum):
    """Which ends of a child are followed by another start."""

    PERMANENT = "permanent"
    """Every one."""
    TRANSIENT = "transient"
    """Crashes."""
    TEMPORARY = "temporary"
    """None."""

    def applies(self, *, crashed: bool) -> bool:
        """Whether a child that has ended is to be started again."""
        return self is Restart.PERMANENT or (self is Restart.TRANSIENT and crashed)


class Strategy(Enum):
    """Who is restarted together with a child that crashed."""

    ONE_FOR_ONE = "one_for_one"
    """Nobody: the children do not depend on each other."""
    REST_FOR_ONE = "rest_for_one"
    """Those started after it: they may depend on it."""
    ONE_FOR_ALL = "one_for_all"
    """All of them: they depend on each other."""

    def group(self, crashed: int) -> slice:
        """Where those to be restarted stand in the start order, when the child at the index `crashed` has crashed."""
        if self is Strategy.ONE_FOR_ONE:
            return slice(crashed, crashed + 1)
        return slice(crashed if self is Strategy.REST_FOR_ONE else 0, None)


class Budget(msgspec.Struct, frozen=True):
    """At most `limit` restarts within any `period` seconds, as Erlang/OTP counts them; one more spends the budget."""

    limit: int = 3
    period: float = 5.0


class Backoff(msgspec.Struct, frozen=True):
    """Seconds to wait before a restart: none before the first of a series, then `first`, doubling up to `longest`."""

    first: float = 0.05
    longest: float = 5.0

    def delay(self, earlier: int) -> float:
        """The wait before a restart that follows `earlier` others in the same series."""
        if earlier == 0:
            return 0.0
        return min(self.longest, self.first * 2.0 ** min(earlier - 1, 64))


class RestartLog:
    """The restarts that still count against a budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._times: deque[float] = deque()

    def allows(self, now: float) -> bool:
        """Note a restart at `now`, and say whether it is within the budget. Times never run backwards."""
        self._times.append(now)
        while now - self._times[0] > self._budget.period:
            self._times.popleft()
        return len(self._times) <= self._budget.limit
