"""The real thing while a stage lasts: a PostgreSQL that waits for its disk, and `pulsekeeper serve` before it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import trio
from msgspec import Struct

from benchmarks.wires import Address
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.embedded import embedded_server
from pulsekeeper.postgres.queries import inline
from pulsekeeper.postgres.settings import Settings
from pulsekeeper.postgres.urls import DatabaseUrl

Sections = Mapping[str, Mapping[str, str | int]]
"""Settings as in the configuration file: names and values by section."""

_PULSEKEEPER = (sys.executable, "-m", "pulsekeeper")
_READY = "Pulsekeeper is ready on http://"
_LAST_WORDS = 2000
_STARTING = 60.0
_STOPPING = 15.0


class ServerFailed(Exception):
    """A process did not start. The message has its last words."""


class Process(Struct, frozen=True):
    """A running server."""

    address: Address
    pid: int

    def cpu(self) -> float:
        """Seconds of a core that it has used so far, in steps of a hundredth. The database's processes do not count."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Bytes of memory that are its own or in use by it now, the resident set. The database's do not count."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Node:
    """A server process, with a new folder for its configuration and its log."""

    def __init__(self, folder: Path, sections: Sections) -> None:
        folder.mkdir()
        self._folder = folder
        self._log = folder / "serve.log"
        config = folder / "benchmark.toml"
        config.write_text(_toml(sections))
        self._environment = _clean_environment() | {"PULSEKEEPER_CONFIG": str(config)}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Process]:
        """The running server. It is stopped in any case: politely, and after a while by force.

        Raises `ServerFailed` when it does not start, and when the block breaks because it has ended by itself.
        """
        with self._log.open("wb") as log:
            process = await self._start(log)
        try:
            with trio.fail_after(_STARTING):
                address = await self._wait_ready(process)
            yield Process(address, process.pid)
        except Exception as error:
            if process.poll() is None or isinstance(error, ServerFailed):
                raise
            raise self._ended(process) from error
        finally:
            with trio.CancelScope(shield=True):
                await end(process)

    async def _start(self, log: IO[bytes]) -> trio.Process:
        return await trio.lowlevel.open_process(
            [*_PULSEKEEPER, "serve"],
            env=self._environment,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us; we stop it when nobody asks it any more
        )

    async def _wait_ready(self, process: trio.Process) -> Address:
        while True:
            text = self._log.read_text(errors="replace")
            _, ready, rest = text.partition(_READY)
            if ready and "\n" in rest:
                host, _, port = rest.partition("\n")[0].rpartition(":")
                return host, int(port)
            if process.poll() is not None:
                raise self._ended(process)
            await trio.sleep(0.02)

    def _ended(self, process: trio.Process) -> ServerFailed:
        words = self._log.read_text(errors="replace")[-_LAST_WORDS:]
        return ServerFailed(f"pulsekeeper serve ended with {process.returncode}: {words}")


@asynccontextmanager
async def postgres(folder: Path) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """A new PostgreSQL in `folder` with its default settings: its URL, and what a reader should know of it."""
    async with embedded_server(folder) as url:
        yield url, await _facts(url)


async def new_database(url: str, name: str) -> str:
    """Create an empty database on the server; gives its URL."""
    async with connected(url) as database:
        await database.execute(inline(f"create database {name}"))
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def connected(url: str) -> AbstractAsyncContextManager[Database]:
    """The database, with the default settings."""
    return open_database(Settings(url=DatabaseUrl(url)))


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that is gone afterwards, on the disk that `TMPDIR` names."""
    return tempfile.TemporaryDirectory(prefix="pulsekeeper-benchmark-")


async def _facts(url: str) -> dict[str, str]:
    async with connected(url) as database:
        names = ("server_version", "fsync", "synchronous_commit", "data_directory")
        version, fsync, commit, data = [str(await database.fetch_value(inline(f"show {name}"))) for name in names]
    return {"PostgreSQL": f"{version}, fsync {fsync}, synchronous_commit {commit}, on {_filesystem(Path(data))}"}


def _filesystem(path: Path) -> str:
    """The kind of file system that the path is on; a disk that is memory makes every commit cheap."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    above = [(point, kind) for point, kind in mounts if path.is_relative_to(point)]
    return max(above, key=lambda mount: len(mount[0]))[1]


async def end(process: trio.Process) -> None:
    """Stop a process politely, and after a while by force."""
    if process.poll() is None:
        process.terminate()
    with trio.move_on_after(_STOPPING):
        await process.wait()
        return
    process.kill()
    await process.wait()


def _clean_environment() -> dict[str, str]:
    """Ours, but for what would configure the service."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PULSEKEEPER_") and name != "DATABASE_URL"
    }


def _toml(sections: Sections) -> str:
    lines = []
    for section, settings in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    return "\n".join([*lines, ""])
