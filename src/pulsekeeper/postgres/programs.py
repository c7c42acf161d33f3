"""PostgreSQL's own programs, run as the user that owns the data. Everything here blocks."""

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_Done = subprocess.CompletedProcess[str]
_GLANCE = 0.1
"""Seconds between two looks at whether a program is still wanted."""


class Programs:
    """The programs of one folder. Each runs in a session of its own: Ctrl-C at the terminal is the service's business.

    `owner` is the user and the group that they run as; `None` is our own.
    """

    def __init__(self, folder: Path, owner: tuple[int, int] | None) -> None:
        self._folder = folder
        self._owner = owner

    def run(self, within: Path, program: str, *arguments: str) -> _Done:
        """Run one to its end, with `within` as its working directory."""
        with self._begin(within, program, arguments) as process:
            output, said = process.communicate()
        return _Done(process.args, process.returncode, output, said)

    def run_unless(self, given_up: Callable[[], None], within: Path, program: str, *arguments: str) -> _Done:
        """The same, but what `given_up` raises, which is called several times a second, ends it by force."""
        with self._begin(within, program, arguments) as process:
            try:
                output, said = _await(process, given_up)
            except BaseException:  # Ctrl-C as well: nobody would wait for the program any more
                os.killpg(process.pid, signal.SIGKILL)
                raise
        return _Done(process.args, process.returncode, output, said)

    def _begin(self, within: Path, program: str, arguments: tuple[str, ...]) -> subprocess.Popen[str]:
        user, group = self._owner or (None, None)
        return subprocess.Popen(  # noqa: S603  # programs of ours, arguments of ours, and no shell
            [self._folder / program, *arguments],
            cwd=within,  # the service's own folder may be closed to the server's user
            env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
            user=user,
            group=group,
            extra_groups=[] if self._owner else None,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def _await(process: subprocess.Popen[str], given_up: Callable[[], None]) -> tuple[str, str]:
    while True:
        given_up()
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=_GLANCE)
