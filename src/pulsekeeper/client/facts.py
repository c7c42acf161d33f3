"""What an installation remembers, whichever of its processes learnt it. Read and written seldom."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from enum import StrEnum
from pathlib import Path

FILE = "installation.db"
_WAIT = 1.0
"""Seconds to wait for another process that is writing."""


class Fact(StrEnum):
    """What there is to remember."""

    INSTALLATION = "installation"
    """Its id."""
    TOKEN = "token"  # noqa: S105  # the name of the fact, not a token
    """Of its latest session: it is needed for a withdrawal, maybe in a later run."""
    FORBIDDEN = "forbidden"
    """Why nothing may be sent."""
    WITHDRAWAL = "withdrawal"
    """One that the service has not been told of yet: `erase` or `keep`."""


class Facts:
    """A small table on disk. Where that is broken, it is as good as memory."""

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / FILE
        self._known: dict[Fact, str] = {}

    def get(self, fact: Fact) -> str | None:
        """What is known now; another process may have changed it since it was last asked."""
        with suppress(sqlite3.Error, OSError), self._table() as table:
            rows: list[tuple[str, str]] = table.execute("select name, value from facts").fetchall()
            self._known = {Fact(name): value for name, value in rows if name in set(Fact)}
        return self._known.get(fact)

    def put(self, fact: Fact, value: str | None) -> None:
        """Remember it, or with `None` forget it. Durable when this returns, if anything here is."""
        self._known.pop(fact, None)
        if value is not None:
            self._known[fact] = value
        with suppress(sqlite3.Error, OSError), self._table(make=True) as table:
            if value is None:
                table.execute("delete from facts where name = ?", (fact,))
            else:
                table.execute("insert or replace into facts (name, value) values (?, ?)", (fact, value))

    @contextmanager
    def _table(self, *, make: bool = False) -> Iterator[sqlite3.Connection]:
        """Nothing is made by looking: who has not agreed finds no file on their disk."""
        if self._path is None or not (make or self._path.exists()):
            raise sqlite3.OperationalError("there is no file")
        if make:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=_WAIT, isolation_level=None)) as connection:
            connection.execute("create table if not exists facts (name text primary key, value text not null)")
            yield connection
