"""A queue's file: how it is opened and written to, and what is done about damage and about passing trouble."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

Row = tuple[int, bytes]
"""An event and its number: higher than those of all events before it, also of those that are gone."""

MEMORY = ":memory:"
_BUSY = 1.0
"""Seconds that a statement waits for another connection, where that holds up nobody."""
_BRIEFLY = "pragma busy_timeout = 10"
"""Milliseconds that one waits where the program that tells of an event waits as well."""
_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM}
_SCHEMA = "create table if not exists events (id integer primary key autoincrement, event blob not null)"
_ALL = "select sum(length(event)) from events"
_PUT = "insert into events (id, event) values (?, ?)"
_NUMBERS = "select id from events"
_REMOVE = "delete from events where id = ?"
_REMOVE_RANGE = "delete from events where id between ? and ?"
_MOST_PAGES = 20_000
"""Pages of 4 KiB in the log at which SQLite tidies by itself, should nobody else have done it."""


def opened(path: Path) -> sqlite3.Connection | None:
    """The file, if it can be used; one that is damaged is begun anew."""
    for attempt in (1, 2):
        try:
            return briefly(_examined(connect(str(path))))
        except sqlite3.Error as error:
            if attempt == 2 or isinstance(error, sqlite3.OperationalError):
                return None
            _discard(path)
    return None


def _examined(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Reads all of it, so damage is seen now."""
    try:
        connection.execute(_ALL)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _discard(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        with suppress(OSError):
            path.with_name(path.name + suffix).unlink()


def connect(database: str) -> sqlite3.Connection:
    """A connection to a queue, made if there is none. Raises `sqlite3.Error`."""
    connection = sqlite3.connect(database, timeout=_BUSY, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")
        connection.execute(f"pragma wal_autocheckpoint = {_MOST_PAGES}")  # `tidy` comes long before
        connection.execute("pragma secure_delete = on")  # what is withdrawn is not to be found in the file
        connection.execute(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def briefly(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The same, but its statements wait for nobody for longer than some milliseconds."""
    connection.execute(_BRIEFLY)
    return connection


def is_passing(error: sqlite3.Error) -> bool:
    """Whether the file may well be usable again later: it is busy, or the disk is full or does not answer."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing."""
    connection.execute("begin immediate")
    try:
        yield
        connection.execute("commit")
    except BaseException:  # whatever it was, a transaction left open would lock the queue
        with suppress(sqlite3.Error):  # a full disk has undone everything already
            connection.execute("rollback")
        raise


def remove(connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
    """Remove these. Returns how many were still there."""
    numbers = [number for number, _ in rows]
    if numbers and numbers[-1] - numbers[0] == len(numbers) - 1:
        return connection.execute(_REMOVE_RANGE, (numbers[0], numbers[-1])).rowcount
    with transaction(connection):
        return connection.executemany(_REMOVE, [(number,) for number in numbers]).rowcount


def copied(disk: sqlite3.Connection, last: int) -> tuple[sqlite3.Connection, bool]:
    """A queue in memory that goes on where the file's stands, with the events that can be read, and whether all can.

    `last` is the number of the latest event: none is given twice.
    """
    memory = connect(MEMORY)
    is_whole = False
    with suppress(sqlite3.Error):
        memory.executemany(_PUT, disk.execute("select id, event from events order by id"))
        is_whole = True
    memory.execute("delete from sqlite_sequence")
    memory.execute("insert into sqlite_sequence (name, seq) values ('events', ?)", (last,))
    return memory, is_whole


def bring_back(memory: sqlite3.Connection, disk: sqlite3.Connection, since: int) -> None:
    """Make the file's events those of the memory, but for what was there up to the number `since`.

    Raises `sqlite3.Error`, and has changed nothing then.
    """
    with transaction(disk):
        there = {number for (number,) in disk.execute(_NUMBERS) if number > since}
        here = {number for (number,) in memory.execute(_NUMBERS) if number > since}
        disk.executemany(_REMOVE, [(number,) for number in there - here])
        missing = ((number,) for number in sorted(here - there))
        disk.executemany(
            _PUT, (memory.execute("select id, event from events where id = ?", one).fetchone() for one in missing)
        )
