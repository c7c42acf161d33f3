"""The states of recent visitors, encoded. A cache: it may be wrong, the database finds out at the commit."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from struct import Struct

from pulsekeeper.decisions.records import Stored

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEAD = Struct("<qiii")
"""The version, and the days, seconds and microseconds since 1970 of the moment when they were last seen."""
_VISITOR = "visitor:"
_DIGITS = 64
_TURNOVER = 1000
"""At the bound, the thousandth part is forgotten at once: to find the oldest, a dict passes by all who were deleted."""


class Memory:
    """At most `capacity` people; at the bound, those that have not been here for the longest time are forgotten.

    A person is two byte strings: among a million people, every object would take as much memory as a short state.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._turnover = max(capacity // _TURNOVER, 1)
        self._rows: dict[bytes | str, bytes] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def known(self, person_keys: Iterable[str]) -> dict[str, Stored]:
        """The rows of those who are remembered."""
        find = self._rows.get
        return {key: _unpacked(row) for key in person_keys if (row := find(_short(key))) is not None}

    def remember(self, person_key: str, row: Stored) -> None:
        """Keep a row as the most recent one."""
        if row.state is None or row.last_seen_at is None:
            return
        key, at = _short(person_key), row.last_seen_at - _EPOCH
        self._rows.pop(key, None)
        self._rows[key] = _HEAD.pack(row.version, at.days, at.seconds, at.microseconds) + row.state
        if len(self._rows) > self._capacity:
            for oldest in list(islice(self._rows, self._turnover)):
                del self._rows[oldest]

    def forget(self, person_keys: Iterable[str]) -> None:
        """Their rows have been changed by somebody else, or may have been."""
        for key in person_keys:
            self._rows.pop(_short(key), None)


def _short(person_key: str) -> bytes | str:
    """A visitor's key as the bytes that its digits stand for, which takes half of the memory; others as they are."""
    digits = person_key[len(_VISITOR) :]
    if len(digits) == _DIGITS and person_key.startswith(_VISITOR):
        try:
            key = bytes.fromhex(digits)
        except ValueError:
            return person_key
        return key if key.hex() == digits else person_key
    return person_key


def _unpacked(row: bytes) -> Stored:
    version, days, seconds, microseconds = _HEAD.unpack_from(row)
    return Stored(version, row[_HEAD.size :], _EPOCH + timedelta(days, seconds, microseconds))
