"""What a statement gives back."""

from typing import Any

import asyncpg  # type: ignore[import-untyped]  # ships no types


class Row(asyncpg.Record):  # type: ignore[misc]  # asyncpg ships no types
    """One row. Columns by name, `row["seen_at"]` or `row.seen_at`; `jsonb` is `bytes`, times are aware and in UTC.

    No column may be called `get`, `items`, `keys` or `values`: a row has methods of these names.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:  # the statement decides on the type, and no checker reads it
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def rows_in(tag: str) -> int:
    """The number of rows in a server's tag: 3 for `UPDATE 3` and for `INSERT 0 3`, 0 for `LISTEN`."""
    count = tag.rpartition(" ")[2]
    return int(count) if count.isdigit() else 0
