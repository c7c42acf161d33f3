"""What part of the sessions is no longer than how many seconds."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import floor
from typing import Protocol

_MICROSECONDS = 1_000_000


class Ordered(Protocol):
    """Lengths from the shortest to the longest."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> float: ...


class Together:
    """Sorted lengths of several buckets, as if they were sorted together.

    Two percentiles are asked of tens of thousands of lengths: looking up a few places is far quicker than sorting.
    Lengths are whole microseconds, in seconds, and not negative.
    """

    def __init__(self, parts: Sequence[Sequence[float]]) -> None:
        """Each of the parts is sorted."""
        self._parts = [part for part in parts if part]
        self._length = sum(len(part) for part in self._parts)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, place: int, /) -> float:
        """The length at a place, from 0: the least that more lengths do not exceed than stand before the place."""
        longest = round(max(part[-1] for part in self._parts) * _MICROSECONDS)
        return bisect_left(range(longest + 1), place + 1, key=self._count) / _MICROSECONDS

    def _count(self, microseconds: int) -> int:
        """How many lengths do not exceed these; fractions may have been rounded by less than half of one."""
        limit = (microseconds + 0.5) / _MICROSECONDS
        return sum(bisect_right(part, limit) for part in self._parts)


def percentile(ordered: Ordered, fraction: float) -> float | None:
    """The value that this part of them does not exceed, between two neighbours in proportion; `None` of nothing."""
    if len(ordered) == 0:
        return None
    place = fraction * (len(ordered) - 1)
    below = floor(place)
    lower, upper = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return lower + (upper - lower) * (place - below)
