"""From stored events to the bytes of a file, in bounded memory, whatever the format and however many there are."""

import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import trio

from pulsekeeper.postgres.transactions import Cursor
from pulsekeeper.sessions.archive.archive_store import ArchiveStore
from pulsekeeper.sessions.archive.formats import CSV, TEXT_FORMATS, TextFormat, exported
from pulsekeeper.sessions.archive.lake import csv_to_parquet
from pulsekeeper.sessions.archive.periods import Format, Period

_CHUNK = 64 * 1024


@asynccontextmanager
async def open_export(store: ArchiveStore, period: Period, to: Format) -> AsyncIterator[AsyncIterator[bytes]]:
    """The bytes of a file. An outage is told at the opening, or by breaking off: never by half a file that looks whole.

    Text is written as it is read; a Parquet file is made whole before its first byte, in a temporary folder.
    """
    if to == "parquet":
        with tempfile.TemporaryDirectory(prefix="pulsekeeper-export-") as folder:
            path = Path(folder) / "events.parquet"
            await write_export(store, period, to, path)
            async with aclosing(_bytes_of(path)) as chunks:
                yield chunks
    else:
        async with store.exported(period) as cursor, aclosing(_text(cursor, TEXT_FORMATS[to])) as chunks:
            yield chunks


async def write_export(store: ArchiveStore, period: Period, to: Format, path: Path) -> int:
    """Write a file, and give the number of its events. Raises `OSError` when it cannot be written.

    The file is there when this returns, but not yet safe from a power failure.
    """
    if to != "parquet":
        return await _write_text(store, period, TEXT_FORMATS[to], path)
    with tempfile.TemporaryDirectory(prefix="pulsekeeper-export-") as folder:
        source = Path(folder) / "events.csv"
        count = await _write_text(store, period, CSV, source)
        await csv_to_parquet(source, path)
        return count


async def _write_text(store: ArchiveStore, period: Period, to: TextFormat, path: Path) -> int:
    count = 0
    async with store.exported(period) as cursor, await trio.open_file(path, "wb") as file:
        await file.write(to.header)
        async for rows in cursor:
            await file.write(to.encode([exported(row) for row in rows]))
            count += len(rows)
    return count


async def _text(cursor: Cursor, to: TextFormat) -> AsyncGenerator[bytes, None]:
    if to.header:
        yield to.header
    async for rows in cursor:
        yield to.encode([exported(row) for row in rows])


async def _bytes_of(path: Path) -> AsyncGenerator[bytes, None]:
    async with await trio.open_file(path, "rb") as file:
        while chunk := await file.read(_CHUNK):
            yield chunk
