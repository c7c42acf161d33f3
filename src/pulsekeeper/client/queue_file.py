"""Opening a queue's file: how it is written to, and what is done about damage."""

import sqlite3
from contextlib import suppress
from pathlib import Path

_BUSY = 1.0
"""Seconds that a statement waits for another connection. Only the checkpoint's is there, so it hardly ever waits."""
_SCHEMA = "create table if not exists events (id integer primary key autoincrement, event blob not null)"
_ALL = "select sum(length(event)) from events"
_MOST_PAGES = 20_000
"""Pages of 4 KiB in the log at which SQLite tidies by itself, should nobody else have done it."""


def opened(path: Path) -> sqlite3.Connection | None:
    """The file, if it can be used; one that is damaged is begun anew."""
    for attempt in (1, 2):
        try:
            return _examined(connect(str(path)))
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
