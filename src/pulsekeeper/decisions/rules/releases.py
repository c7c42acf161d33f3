"""Which of two releases is the newer one, and which is the latest.

Two registered releases are ordered by their dates. Wherever a date is missing or the same, the parts of the ids decide,
numbers compared as numbers, never as text: `2025.10.1` is newer than `2025.9.30`. Where dates contradict the ids, an
unregistered release is still placed by its parts alone, because nothing else is known of it.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from pulsekeeper.decisions.rules.campaigns import Release

Part = tuple[int, int, str]
_WORD, _END, _NUMBER = 0, 1, 2
_PARTS = re.compile(r"([0-9]+)|([^0-9.\-_\s]+)")
_LEADING_V = re.compile(r"[vV](?=[0-9])")


@lru_cache(maxsize=4096)
def parts(release_id: str) -> tuple[Part, ...]:
    """A key that orders ids by their parts. Ids with the same key, such as `v1.2` and `1.2.0`, name the same release.

    Digits and words alternate; `.`, `-`, `_` and space only separate; one leading `v` and everything after a `+` are
    ignored. Where two ids differ, a word stands before the end and the end before a number, so that `1.2-rc1` comes
    before `1.2`, and `1.2` before `1.2.1`. Words compare by their lower-case text.
    """
    counted = _LEADING_V.sub("", release_id.partition("+")[0], count=1)
    key: list[Part] = []
    for number, word in _PARTS.findall(counted):
        if word:
            _drop_zeros(key)
        key.append((_NUMBER, int(number), "") if number else (_WORD, 0, word.lower()))
    _drop_zeros(key)
    return (*key, (_END, 0, ""))


class Releases:
    """The registered releases, ready for comparison."""

    def __init__(self, releases: Iterable[Release]) -> None:
        self._by_id = {release.id: release for release in releases}
        self._oldest_first = sorted(self._by_id.values(), key=_order)
        self._dates = [release.released_at for release in self._oldest_first]

    def get(self, release_id: str) -> Release | None:
        """The registered release with exactly this id."""
        return self._by_id.get(release_id)

    def latest(self, now: datetime) -> Release | None:
        """The newest one that is out."""
        out = bisect_right(self._dates, now)
        return self._oldest_first[out - 1] if out else None

    def upcoming(self, now: datetime) -> datetime | None:
        """When the next one comes out."""
        out = bisect_right(self._dates, now)
        return self._dates[out] if out < len(self._dates) else None

    def is_newer(self, one: str, other: str) -> bool:
        """Whether `one` came after `other`. An id is never newer than itself, however it is written."""
        if one == other:
            return False
        first, second = self._by_id.get(one), self._by_id.get(other)
        if first is None or second is None or first.released_at == second.released_at:
            return parts(one) > parts(other)
        return first.released_at > second.released_at

    def newer(self, one: str | None, other: str) -> str:
        """The newer of the two; `one` when they are the same, so that a state never moves without need."""
        return other if one is None or self.is_newer(other, one) else one


def _drop_zeros(key: list[Part]) -> None:
    while key and key[-1] == (_NUMBER, 0, ""):
        key.pop()


def _order(release: Release) -> tuple[datetime, tuple[Part, ...], str]:
    return release.released_at, parts(release.id), release.id
