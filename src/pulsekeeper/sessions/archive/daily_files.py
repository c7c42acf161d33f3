"""A folder with one file a day: what is there stays, what is missing and over is written.

A file is whole or absent. It is written under another name, made safe from a power failure, and renamed; what a killed
run leaves behind is overwritten by the next one. The folder is locked meanwhile, so that two runs do not write the same
file. A day without events has a file as well: it says that the day was looked at.

A file is a copy. What is erased from the database later is not erased from the files.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import trio

from pulsekeeper import errors
from pulsekeeper.sessions.archive import lake
from pulsekeeper.sessions.archive.archive_store import ArchiveStore
from pulsekeeper.sessions.archive.exports import write_export
from pulsekeeper.sessions.archive.periods import Format, day, days_from, last_day_over


class DailyFiles:
    """The files of one format in a folder, which is made if need be.

    Every method raises `errors.Unavailable` when the database is away, and `errors.Invalid` when the folder cannot be
    written.
    """

    def __init__(self, store: ArchiveStore, folder: Path, to: Format) -> None:
        self._store = store
        self._folder = folder
        self._format = to

    async def missing(self, first: date | None, last: date | None, now: datetime) -> list[date]:
        """The days that are over and have no file, the oldest first: from the first day on that has any sessions."""
        oldest = await self._store.first_session_at()
        if oldest is None:
            return []
        begin = oldest.date() if first is None else max(first, oldest.date())
        end = last_day_over(now) if last is None else min(last, last_day_over(now))
        return [each for each in days_from(begin, end) if not self.path(each).exists()]

    async def write(self, days: list[date], written: Callable[[Path, int], None]) -> None:
        """Write these, telling of each file and the number of its events as soon as it is safe.

        Raises `errors.Conflict` while another process writes into the folder.
        """
        if self._format == "parquet":
            lake.require()
        with _disk_errors_as_sentences(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            with _locked(self._folder):
                for each in days:
                    written(self.path(each), await self._write(each))

    def path(self, of: date) -> Path:
        """Where the events of a day are, or will be."""
        return self._folder / f"events-{of.isoformat()}.{self._format}"

    async def _write(self, of: date) -> int:
        path = self.path(of)
        unfinished = path.with_name(f".{path.name}.unfinished")
        try:
            count = await write_export(self._store, day(of), self._format, unfinished)
            await trio.to_thread.run_sync(_put_in_place, unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        return count


def _put_in_place(unfinished: Path, path: Path) -> None:
    _make_safe(unfinished)
    unfinished.replace(path)
    _make_safe(path.parent)


def _make_safe(path: Path) -> None:
    """Have the disk confirm a file, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """For us alone; a process that is killed lets go of it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise errors.Conflict(f"another export is writing into {folder}") from None


@contextmanager
def _disk_errors_as_sentences(folder: Path) -> Iterator[None]:
    """What is wrong with a disk or a folder, as a sentence."""
    try:
        yield
    except OSError as error:
        raise errors.Invalid(f"cannot write {error.filename or folder}: {error.strerror or error}") from error
