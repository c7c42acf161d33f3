"""The folder that the processes of an installation share: a queue for each of them, and what all of them know.

    installation.db             the installation's id, and whether it may send
    queue-0.db, queue-0.lock    the queue of whichever process holds the lock; of nobody, if its process has died

A process takes the first queue that is free, with what an earlier one has left there, and empties the other free ones
into its own. Files are never deleted, because another process might just be opening them; there are as many as there
were processes at one time.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pulsekeeper.client.facts import Facts
from pulsekeeper.client.locks import FileLock
from pulsekeeper.client.spool import Spool

MOST_PROCESSES = 32
"""Processes that have a queue on disk; further ones have theirs in memory."""
_EVERYTHING = 1_000_000_000


class Folder:
    """One process's part in it. Nothing is made before `open`."""

    def __init__(self, path: Path | None, most_events: int, most_bytes: int) -> None:
        """`None` is memory."""
        self.facts = Facts(path)
        self.spool: Spool | None = None
        """There once it is open."""
        self._path = path
        self._bounds = most_events, most_bytes
        self._lock: FileLock | None = None
        self._first: FileLock | None = None

    @property
    def is_degraded(self) -> bool:
        """Whether there should be a file and is none: it cannot be written, or is damaged."""
        return self._path is not None and self.spool is not None and self.spool.path is None

    def open(self) -> Spool:
        """The queue of this process. In memory, if there can be none on disk."""
        if self.spool is None:
            self.spool = Spool(self._take_free(), *self._bounds)
        return self.spool

    def adopt(self) -> int:
        """Take over what processes that have died have left. Returns how many of the oldest were dropped for it."""
        if self.spool is None or self.spool.path is None or self._path is None:
            return 0
        dropped = 0
        with suppress(sqlite3.Error, OSError):
            for path in sorted(self._path.glob("queue-*.db")):
                dropped += 0 if path == self.spool.path else _move(path, self.spool)
        return dropped

    def may_be_first(self) -> bool:
        """Whether this process may ask for the installation's id, or another one is just doing so."""
        if self._path is None or self._first is not None:
            return True
        lock = FileLock(self._path / "first.lock")
        try:
            taken = lock.take()
        except sqlite3.Error:
            return True
        self._first = lock if taken else None
        return taken

    def was_first(self) -> None:
        """It has been asked for, with or without success."""
        if self._first is not None:
            self._first.release()
        self._first = None

    def forget(self) -> int:
        """Forget the events, those of dead processes too. Returns how many there were."""
        spool = self.open()
        self.adopt()
        return spool.clear()

    def close(self) -> None:
        """What waits, waits for a later run."""
        self.was_first()
        if self.spool is not None:
            self.spool.close()
        if self._lock is not None:
            self._lock.release()
        self.spool, self._lock = None, None

    def _take_free(self) -> Path | None:
        for path, lock in self._places():
            with suppress(sqlite3.Error):
                if lock.take():
                    self._lock = lock
                    return path
        return None

    def _places(self) -> Iterator[tuple[Path, FileLock]]:
        if self._path is None:
            return
        with suppress(OSError):
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for number in range(MOST_PROCESSES):
                yield self._path / f"queue-{number}.db", FileLock(self._path / f"queue-{number}.lock")


def _move(path: Path, to: Spool) -> int:
    """Empty the queue of a dead process. Whatever happens in between, each event is in one of the two, or in both."""
    lock = FileLock(path.with_suffix(".lock"))
    if not lock.take():
        return 0
    try:
        left = Spool(path, _EVERYTHING, _EVERYTHING)
        dropped = sum(to.add(event) for _, event in left.head(_EVERYTHING, _EVERYTHING))
        left.clear()
        left.close()
        return dropped
    finally:
        lock.release()
