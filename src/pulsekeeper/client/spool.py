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

from pulsekeeper.client.queue_file import connect, opened

_ADD = "insert into events (event) values (?)"
_HEAD = "select id, event from events order by id limit ?"
_OLDEST = "select id, length(event) from events where id > ? order by id limit 1"
_SIZE = "select count(*), coalesce(sum(length(event)), 0) from events"
_REMOVE = "delete from events where id = ?"
_REMOVE_RANGE = "delete from events where id between ? and ?"
_UNTIDY = 2_000
"""Changes after which the log of changes is to be brought into the file: some megabytes."""
_MOST_LOG = 8 * 1024 * 1024
"""Bytes of the log from which on it is cut, for which adding events has to wait a moment."""
_MEMORY = ":memory:"

Row = tuple[int, bytes]
"""An event and its number: higher than those of all events before it, also of those that are gone."""
_T = TypeVar("_T")


class Spool:
    """A bounded queue. Threads may use it at the same time; processes have one each.

    It raises nothing: when its file fails it goes on in memory, with whatever can still be read.
    """

    def __init__(self, path: Path | None, most_events: int, most_bytes: int) -> None:
        """`None` is memory. When it would hold more than so many events or bytes, the oldest go."""
        self.path = path
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._lock = threading.RLock()  # an event may be told of by a signal handler that interrupts another
        self._changes = 0
        self._lost = 0  # with the file, and not yet told
        self._held = 0  # events up to this number are under way, and stay
        on_disk = opened(path) if path else None
        if on_disk is None:
            self.path = None
        self._connection = on_disk or connect(_MEMORY)
        self._count: int
        self._size: int
        self._count, self._size = self._connection.execute(_SIZE).fetchone()

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
            self._do(lambda connection: connection.execute(_ADD, (event,)))
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
            removed = self._do(lambda connection: _remove(connection, rows))
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
            with suppress(sqlite3.Error):
                self._connection.execute("pragma wal_checkpoint(truncate)")
        return forgotten

    @property
    def is_untidy(self) -> bool:
        """Whether there is much in the log of changes, which would grow for ever."""
        return self._changes >= _UNTIDY and self.path is not None

    def tidy(self) -> None:
        """Bring the log of changes into the file, while events can still be added. May wait for the disk."""
        self._changes = 0
        if self.path is None:
            return
        with suppress(sqlite3.Error, OSError), closing(connect(str(self.path))) as connection:
            connection.execute("pragma wal_checkpoint(passive)")
            if self.path.with_name(self.path.name + "-wal").stat().st_size > _MOST_LOG:
                connection.execute("pragma wal_checkpoint(truncate)")

    def close(self) -> None:
        """What waits, waits for a later run. May wait for the disk."""
        with self._lock, suppress(sqlite3.Error):
            self._do(lambda connection: connection.close())

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
        except sqlite3.Error:
            self._connection = self._in_memory(self._connection)
            before = self._count
            self._count, self._size = self._connection.execute(_SIZE).fetchone()
            self._lost += before - self._count
            return work(self._connection)

    def _in_memory(self, broken: sqlite3.Connection) -> sqlite3.Connection:
        """Go on without the disk. What stays there is sent again by a later run, and is a duplicate then."""
        memory = connect(_MEMORY)
        with suppress(sqlite3.Error):
            memory.executemany("insert into events (id, event) values (?, ?)", broken.execute("select * from events"))
        self.path = None
        with suppress(sqlite3.Error):
            broken.close()
        return memory


def _remove(connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
    numbers = [number for number, _ in rows]
    if numbers and numbers[-1] - numbers[0] == len(numbers) - 1:
        return connection.execute(_REMOVE_RANGE, (numbers[0], numbers[-1])).rowcount
    connection.execute("begin")
    try:
        return connection.executemany(_REMOVE, [(number,) for number in numbers]).rowcount
    finally:
        connection.execute("commit")
