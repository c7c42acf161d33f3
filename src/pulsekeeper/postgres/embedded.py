"""A PostgreSQL server of our own, for laptops, demonstrations and small installations.

Any number of processes, say a running service and a command beside it, share the server of a data folder, and the
last of them stops it. Who is using it is known from a lock that the kernel drops with its process, so there is no
list that could be wrong: a service that was killed neither keeps the server from stopping later nor the next service
from starting.
"""

import fcntl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import trio

from pulsekeeper.errors import Unavailable
from pulsekeeper.postgres.server import Server


@asynccontextmanager
async def embedded_server(data_dir: str | Path) -> AsyncIterator[str]:
    """A running server with its data in `data_dir/postgres`, for as long as the block lasts. Gives its URL.

    Raises `Invalid` without the extra `pulsekeeper[embedded]`, and `Unavailable` with the server's own words when it
    does not start.
    """
    share = Share(data_dir)
    url = await trio.to_thread.run_sync(share.join)
    try:
        yield url
    finally:
        with trio.CancelScope(shield=True):  # the server has limits of its own for stopping
            await trio.to_thread.run_sync(share.leave)


class Share:
    """One user's part in the server of a data folder. Its methods block: they belong in a thread."""

    def __init__(self, data_dir: str | Path) -> None:
        self._folder = Path(data_dir).resolve()
        self._server = Server(self._folder / "postgres")

    def join(self) -> str:
        """Start the server unless it runs, and be counted among its users. Gives its URL."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._one_at_a_time():
            self._users = (self._folder / "postgres.users").open("ab")
            try:
                self._start_unless_running()
                fcntl.flock(self._users, fcntl.LOCK_SH)
            except BaseException:
                self._users.close()
                raise
            return self._server.url()

    def leave(self) -> None:
        """Stop the server if nobody else uses it."""
        with self._one_at_a_time(), self._users:
            if self._is_alone() and self._server.pid():
                self._server.stop()

    def _start_unless_running(self) -> None:
        alone = self._is_alone()
        if self._server.is_running():
            return
        if not alone:
            # As from another container on the same volume: a second server there would destroy the data.
            raise Unavailable(f"Somebody else is using {self._folder}, with a server that cannot be seen from here.")
        self._server.start()

    def _is_alone(self) -> bool:
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        with (self._folder / "postgres.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
