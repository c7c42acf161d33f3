"""The states of recent visitors, encoded. A cache: it may be wrong, the database finds out at the commit."""

from collections.abc import Iterable

from pulsekeeper.decisions.records import Stored


class Memory:
    """At most `capacity` people; at the bound, the one that has not been here for the longest time is forgotten.

    States are kept as the bytes that were written, which takes a fraction of the memory of the objects.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._rows: dict[str, Stored] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def known(self, person_keys: Iterable[str]) -> dict[str, Stored]:
        """The rows of those who are remembered."""
        return {key: self._rows[key] for key in person_keys if key in self._rows}

    def remember(self, person_key: str, row: Stored) -> None:
        """Keep a row as the most recent one."""
        self._rows.pop(person_key, None)
        self._rows[person_key] = row
        if len(self._rows) > self._capacity:
            del self._rows[next(iter(self._rows))]

    def forget(self, person_keys: Iterable[str]) -> None:
        """Their rows have been changed by somebody else, or may have been."""
        for key in person_keys:
            self._rows.pop(key, None)
