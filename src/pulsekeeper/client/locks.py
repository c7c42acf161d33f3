"""Locks between processes that end with their holder, `kill -9` included, on every platform: SQLite's own."""

import sqlite3
from pathlib import Path


class FileLock:
    """One holder at a time. The file is left behind, empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def take(self) -> bool:
        """Whether it is ours now. Never waits. Raises `sqlite3.Error` where no file can be."""
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("begin exclusive")
        except sqlite3.Error as error:
            connection.close()
            if "locked" in str(error):
                return False
            raise
        self._connection = connection
        return True

    def release(self) -> None:
        """Let others have it."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
