"""A PostgreSQL server of our own, for laptops, demonstrations and small installations.

Any number of processes, say a running service and a command beside it, share the server of a data folder, and the
last of them stops it. Who is using it is known from a lock that the kernel drops with its process, so there is no
list that could be wrong: a service that was killed neither keeps the server from stopping later nor the next service
from starting.
"""

import fcntl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import trio

from pulsekeeper.errors import NotFound, Unavailable
from pulsekeeper.postgres.server import Server


@asynccontextmanager
async def embedded_server(data_dir: str | Path, *, create: bool = True) -> AsyncIterator[str]:
    """A running server with its data in `data_dir/postgres`, for as long as the block lasts. Gives its URL.

    Raises `Invalid` without the extra `pulsekeeper[embedded]`, `Unavailable` with the server's own words when it does
    not start, or when the folder cannot be used, and `NotFound` when there is no data and none is to be created.
    """
    share = Share(data_dir, give_up=trio.from_thread.check_cancelled)
    url = await trio.to_thread.run_sync(partial(share.join, create=create))
    try:
        yield url
    finally:
        with trio.CancelScope(shield=True):  # the server has limits of its own for stopping
            await trio.to_thread.run_sync(share.leave)


class Share:
    """One user's part in the server of a data folder. Its methods block: they belong in a thread."""

    def __init__(self, data_dir: str | Path, give_up: Callable[[], None] = lambda: None) -> None:
        self._named = data_dir
        self._folder = Path(data_dir).resolve()
        self._server = Server(self._folder / "postgres", give_up=give_up)

    def join(self, *, create: bool = True) -> str:
        """Start the server unless it runs, and be counted among its users. Gives its URL."""
        try:
            if not (create or self._server.exists()):
                sentence = "start the service first, or name it by --data or DATABASE_URL"
                raise NotFound(f"there is no database in {self._named}: {sentence}")
            self._folder.mkdir(parents=True, exist_ok=True)
            return self._join()
        except OSError as error:
            reason = error.strerror or error
            raise Unavailable(f"The data folder {self._named} cannot be used: {reason}.") from None

    def _join(self) -> str:
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
