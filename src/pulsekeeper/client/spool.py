"""The events that wait, in SQLite: what was added survives the program's death, and is sent by a later run.

WAL with synchronous=NORMAL: adding an event writes to the file but does not wait for the disk, so it takes some
microseconds, and `kill -9` loses nothing. A power cut may lose the last seconds, which is no reason to make every
program that embeds this wait for its disk. What does wait for the disk, the checkpoint, is done by the worker over a
connection of its own, beside which events can be added.
"""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from pulsekeeper.client.queue_file import MEMORY, Row, bring_back, connect, copied, is_passing, opened, remove

_ADD = "insert into events (event) values (?)"
_HEAD = "select id, event from events order by id limit ?"
_OLDEST = "select id, length(event) from events where id > ? order by id limit 1"
_SIZE = "select count(*), coalesce(sum(length(event)), 0) from events"
_REMOVE = "delete from events where id = ?"
_LAST = "select coalesce(max(seq), 0) from sqlite_sequence"
_PATIENTLY = "pragma busy_timeout = 1000"
_UNTIDY = 2_000
"""Changes after which the log of changes is to be brought into the file: some megabytes."""
_MOST_LOG = 8 * 1024 * 1024
"""Bytes of the log from which on it is cut, for which adding events has to wait a moment."""
_T = TypeVar("_T")


class Spool:
    """A bounded queue. Threads may use it at the same time; processes have one each.

    It raises nothing: when its file fails it goes on in memory, with whatever can still be read. From trouble that may
    pass, such as a full disk, it comes back when that has passed: it looks whenever its worker does anything here.
    """

    def __init__(self, path: Path | None, most_events: int, most_bytes: int) -> None:
        """`None` is memory. When it would hold more than so many events or bytes, the oldest go."""
        self.path = path
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._lock = threading.RLock()  # an event may be told of by a signal handler that interrupts another
        self._changes = 0
        self._lost = 0  # with the file, and not yet told
        self._away: sqlite3.Connection | None = None  # the file, while it is in trouble that may pass
        self._unread = 0  # events up to this number are there, but could not be read when the trouble began
        self._held = 0  # events up to this number are under way, and stay
        on_disk = opened(path) if path else None
        if on_disk is None:
            self.path = None
        self._connection = on_disk or connect(MEMORY)
        self._count: int
        self._size: int
        self._count, self._size = self._connection.execute(_SIZE).fetchone()
        self._last: int = self._connection.execute(_LAST).fetchone()[0]

    @property
    def count(self) -> int:
        """How many events wait."""
        return self._count

    @property
    def size(self) -> int:
        """How many bytes they are."""
        return self._size

    def add(self, event: bytes) -> int:
        """Put an event at the end. Returns how many of the oldest were dropped for it, or lost with the file."""
        with self._lock:
            self._last = self._do(lambda connection: connection.execute(_ADD, (event,))).lastrowid or self._last
            self._count += 1
            self._size += len(event)
            self._changes += 1
            dropped, self._lost = self._lost, 0
            while self._count > self._most_events or self._size > self._most_bytes:
                dropped += self._drop_oldest()
            return dropped

    def head(self, most_events: int, most_bytes: int, overhead: int = 0) -> Sequence[Row]:
        """The oldest events, so many and so many bytes at most (each has some more on top), but one at least.

        They are held: what is under way is not dropped to make room, so it is not counted twice.
        """
        with self._lock:
            self._return()
            rows: list[Row] = []
            room = most_bytes
            for row in self._do(lambda connection: connection.execute(_HEAD, (most_events,)).fetchall()):
                room -= len(row[1]) + overhead
                if rows and room < 0:
                    break
                rows.append(row)
            self._held = rows[-1][0] if rows else 0
            return rows

    def release(self) -> None:
        """The head is not under way any more."""
        self._held = 0

    def remove(self, rows: Sequence[Row]) -> None:
        """These are settled."""
        with self._lock:
            removed = self._do(lambda connection: remove(connection, rows))
            if removed != len(rows):
                self._measure()  # somebody has cleared it meanwhile
            else:
                self._count -= removed
                self._size -= sum(len(event) for _, event in rows)

    def clear(self) -> int:
        """Forget everything, on the disk as well. Returns how many events that were."""
        with self._lock:
            forgotten = self._count
            self._do(lambda connection: connection.execute("delete from events"))
            self._measure()
            self._unread = 0  # what cannot be read is forgotten too
            self._return()
            with suppress(sqlite3.Error):
                self._connection.execute("pragma wal_checkpoint(truncate)")
        return forgotten

    @property
    def is_untidy(self) -> bool:
        """Whether there is much in the log of changes, which would grow for ever, or the file is to be gone back to."""
        return (self._changes >= _UNTIDY or self._away is not None) and self.path is not None

    def tidy(self) -> None:
        """Bring the log of changes into the file, while events can still be added. May wait for the disk."""
        with self._lock:
            self._return()
        self._changes = 0
        if self.path is None or self._away is not None:
            return
        with suppress(sqlite3.Error, OSError), closing(connect(str(self.path))) as connection:
            connection.execute("pragma wal_checkpoint(passive)")
            if self.path.with_name(self.path.name + "-wal").stat().st_size > _MOST_LOG:
                connection.execute("pragma wal_checkpoint(truncate)")

    def close(self) -> None:
        """What waits, waits for a later run. May wait for the disk."""
        with self._lock, suppress(sqlite3.Error):
            if self._away is not None:
                self._away.execute(_PATIENTLY)
            self._return()
            self._connection.close()
            if self._away is not None:
                self._away.close()

    def _drop_oldest(self) -> int:
        number, size = self._do(lambda connection: connection.execute(_OLDEST, (self._held,)).fetchone())
        self._do(lambda connection: connection.execute(_REMOVE, (number,)))
        self._count -= 1
        self._size -= size
        return 1

    def _measure(self) -> None:
        self._count, self._size = self._do(lambda connection: connection.execute(_SIZE).fetchone())

    def _do(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return work(self._connection)
        except sqlite3.Error as error:
            self._go_on_in_memory(error)
            return work(self._connection)

    def _go_on_in_memory(self, error: sqlite3.Error) -> None:
        """What stays on the disk for good is sent again by a later run, and is a duplicate then."""
        disk, before = self._connection, self._count
        self._connection, is_whole = copied(disk, self._last)
        self._count, self._size = self._connection.execute(_SIZE).fetchone()
        if is_passing(error):
            self._away, self._unread = disk, 0 if is_whole else self._last
            return
        self._give_up(disk)
        if type(error) is sqlite3.DatabaseError:  # damage: a later run begins the file anew
            self._lost += before - self._count

    def _return(self) -> None:
        """Go back to the disk, if its trouble has passed. Waits for it for some milliseconds at most."""
        if self._away is None:
            return
        try:
            bring_back(self._connection, self._away, self._unread)
        except sqlite3.Error as error:
            if not is_passing(error):
                self._give_up(self._away)
            return
        self._connection.close()
        self._connection, self._away = self._away, None
        self._measure()

    def _give_up(self, disk: sqlite3.Connection) -> None:
        self.path = self._away = None
        with suppress(sqlite3.Error):
            disk.close()
