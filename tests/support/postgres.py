"""Real servers for tests: one that the whole run shares, and private ones that a test may mistreat."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types
import trio

from pulsekeeper.postgres.driver import open_bridge
from pulsekeeper.postgres.queries import inline
from pulsekeeper.postgres.server import Server
from pulsekeeper.postgres.settings import Settings
from pulsekeeper.postgres.statements import Statements
from pulsekeeper.postgres.urls import DatabaseUrl

_CARELESS = {"fsync": "off", "full_page_writes": "off", "log_min_messages": "fatal"}
_PATIENCE = 30.0
_ROOM = 2**30


class ServerProcess:
    """A server that can be killed and frozen, with all of its children. Everything here blocks, briefly."""

    def __init__(self, folder: Path, **options: str) -> None:
        self._server = Server(folder.resolve() / "data", _CARELESS | options)
        self._frozen: list[psutil.Process] = []
        self.admin_url = ""
        """Of the database that is always there. Known after the first start, and the same after each one."""
        self.url = ""
        """Of the database that the test works with."""

    def start(self) -> None:
        """Create the data if there is none, and run."""
        self._server.start()
        self.admin_url = self._server.url()
        self.url = self.url or self.admin_url

    def recover(self) -> None:
        """Run, whatever was done to it before."""
        self.resume()
        if self._server.pid() is None:
            self.start()

    def stop(self) -> None:
        """End politely, whatever state the server is in."""
        self.resume()
        if self._server.pid():
            self._server.stop()

    def kill(self) -> None:
        """`kill -9`, for the server and every process of it."""
        victims = self._processes()
        for process in victims:
            process.send_signal(signal.SIGKILL)
        self._frozen = []
        deadline = time.monotonic() + _PATIENCE
        while any(_is_alive(process) for process in victims):
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def pause(self) -> None:
        """Freeze every process: connections stay open, connecting still works, and nothing is ever answered."""
        self._frozen = self._processes()
        for process in self._frozen:
            process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let what was frozen go on."""
        for process in self._frozen:
            if process.is_running():
                process.send_signal(signal.SIGCONT)
        self._frozen = []

    def _processes(self) -> list[psutil.Process]:
        pid = self._server.pid()
        assert pid is not None
        postmaster = psutil.Process(pid)
        return [postmaster, *postmaster.children(recursive=True)]


@contextmanager
def private_server(**options: str) -> Iterator[ServerProcess]:
    """A running server for one test, gone afterwards."""
    with fast_folder() as folder:
        server = ServerProcess(folder, **options)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def fast_folder() -> Iterator[Path]:
    """A folder for one test, in memory where there is plenty: a database is a thousand files, some disks are slow."""
    memory = Path("/dev/shm")  # noqa: S108  # the folder inside gets a name of its own, and is closed to others
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > _ROOM
    with tempfile.TemporaryDirectory(prefix="pulsekeeper-test-", dir=memory if roomy else None) as folder:
        yield Path(folder)


def settings_for(url: str, **changes: object) -> Settings:
    """The default settings with this URL."""
    return Settings(url=DatabaseUrl(url), **changes)  # type: ignore[arg-type]  # a test gives what the field wants


def database_of(url: str, name: str) -> str:
    """The URL of another database on the same server."""
    return url.replace("/postgres?", f"/{name}?")


async def ping(database: Statements) -> None:
    """Returns when the database has answered; raises `Unavailable` when it does not."""
    await database.fetch(inline("select 1"))


def run_sql(url: str, *statements: str) -> None:
    """Run statements on a connection of their own, from where there is no Trio."""

    async def run() -> None:
        async with open_bridge() as bridge:
            session = await bridge.connect(url, _PATIENCE, _PATIENCE)
            for statement in statements:
                await session.execute(statement)
            await session.close()

    trio.run(run)


def unique_name(prefix: str) -> str:
    """A name for a database that no other worker or test of this machine takes."""
    return f"{prefix}_{os.getpid()}_{time.monotonic_ns()}"


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
