"""Parquet files, written by DuckDB, which is not installed by everybody: it comes with the extra `lake`.

DuckDB works in a thread, on one core and within a fixed memory, because it may have to do so beside a node that
answers visitors. It reads and writes the two files that it is told of, and never fetches an extension from anywhere.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from pulsekeeper.errors import Invalid

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TYPES = {
    "receivedAt": "timestamptz",
    "sessionId": "uuid",
    "installationId": "uuid",
    "id": "uuid",
    "name": "varchar",
    "at": "timestamptz",
    "rawAt": "timestamptz",
    "seq": "bigint",
    "props": "varchar",
    "isCut": "boolean",
}
_LIMITS: Mapping[str, str | bool | int | float | list[str]] = {
    "memory_limit": "256MB",
    "threads": 1,
    "preserve_insertion_order": False,  # `_GROUP` needs it; one thread keeps the order anyway
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_LONGEST_LINE = 2**20
"""Bytes; an event has at most a fifth of it. DuckDB reads sixteen times as many at once."""
_GROUP = "16MB"
"""What is gathered before it is written: counted in rows, as usual, the largest events would take gigabytes."""
_AGAIN = 0.05
"""Seconds after which a query that goes on is told once more to stop."""


def require() -> None:
    """Raises `Invalid` where DuckDB is missing."""
    if find_spec("duckdb") is None:
        raise Invalid("Parquet files need DuckDB: pip install 'pulsekeeper[lake]'.")


async def csv_to_parquet(source: Path, target: Path) -> None:
    """Write the CSV file of `formats` anew as Parquet: times with their zone, ids as UUIDs, properties as JSON text.

    Raises `OSError` when the disk is full. A cancellation stops DuckDB first; `target` may then be half a file.
    """
    with await trio.to_thread.run_sync(open_lake, source.parent) as connection:
        await run(connection, _statement(source, target))


def open_lake(scratch: Path) -> "DuckDBPyConnection":
    """An empty database in memory, within its limits; what is too much for them goes to the folder `scratch`.

    It blocks for a moment, the first time.
    """
    import duckdb  # noqa: PLC0415  # optional, and slow to load

    return duckdb.connect(":memory:", config=dict(_LIMITS) | {"temp_directory": str(scratch)})


async def run(connection: "DuckDBPyConnection", statement: str) -> None:
    """Run a statement to its end, which comes soon if we are cancelled. Raises `OSError` when a file is to blame."""
    over = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_interrupt_when_cancelled, connection, over)
        try:
            failure = await trio.to_thread.run_sync(_failure_of, connection, statement)
        finally:
            over.set()
    if failure is not None:
        raise failure


def _failure_of(connection: "DuckDBPyConnection", statement: str) -> OSError | None:
    import duckdb  # noqa: PLC0415  # as above

    try:
        connection.execute(statement)
    except duckdb.InterruptException:  # the cancellation that was the reason goes on by itself
        return None
    except duckdb.IOException as error:
        return OSError(str(error))
    return None


async def _interrupt_when_cancelled(connection: "DuckDBPyConnection", over: trio.Event) -> None:
    try:
        await over.wait()
    except trio.Cancelled:
        with trio.CancelScope(shield=True):
            while not over.is_set():  # it may not have begun yet
                connection.interrupt()
                with trio.move_on_after(_AGAIN):
                    await over.wait()
        raise


def _statement(source: Path, target: Path) -> str:
    columns = ", ".join(f"{_quoted(name)}: {_quoted(kind)}" for name, kind in _TYPES.items())
    return f"""
        copy (
            select * from read_csv(
                {_quoted(str(source))}, columns = {{{columns}}}, auto_detect = false, header = true, delim = ',',
                quote = '"', escape = '"', nullstr = '', max_line_size = {_LONGEST_LINE}
            )
        ) to {_quoted(str(target))} (
            format parquet, compression zstd, row_group_size_bytes {_quoted(_GROUP)}, use_tmp_file false
        )
    """  # noqa: S608  # quoted


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
