"""The service as it runs in production: a process of its own, configured by its environment, spoken to over sockets.

What blocks here blocks for as long as a process needs to start, and nothing else goes on in a test meanwhile.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import httpx
import msgspec
import psutil  # type: ignore[import-untyped]  # ships no types
import trio

ADMIN_KEY = "the-admin-key-of-all-tests"
ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}
PATIENCE = 30.0
"""Seconds that anything here may take, on a machine that has other things to do as well."""
_SETTINGS = {
    "web__access_log_hot_calls": "true",
    "web__bind": "127.0.0.1:0",
    "auth__admin_key": ADMIN_KEY,
    "decisions__calls_per_minute": "1000000",
    "decisions__visit_gap": "0s",
    "sessions__starts_per_minute": "1000000",
    "sessions__calls_per_second": "1000000",
}


class LogLine(msgspec.Struct, frozen=True):
    """The part of a line of the log that tests look at."""

    event: str
    route: str = ""
    milliseconds: float = 0.0
    request_id: str = ""


class Service:
    """One node, seen from outside."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process = process
        self._output = output

    @cached_property
    def port(self) -> int:
        """Where it listens. Known before it is ready, which may be never."""
        process = psutil.Process(self._process.pid)
        self._wait_until(lambda: _ports(process))
        return _ports(process)[0]

    @property
    def url(self) -> str:
        """The base of all addresses, over IPv4."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, *, base_url: str = "", source: str | None = None) -> httpx.AsyncClient:
        """A client that keeps its connections; `source` is the local address that it comes from."""
        transport = httpx.AsyncHTTPTransport(local_address=source, limits=httpx.Limits(max_connections=None))
        return httpx.AsyncClient(base_url=base_url or self.url, transport=transport, timeout=PATIENCE, trust_env=False)

    def wait_ready(self) -> None:
        """Return as soon as `/readyz` says yes."""
        with httpx.Client(base_url=self.url, trust_env=False, timeout=PATIENCE) as client:
            self._wait_until(lambda: client.get("/readyz").status_code == httpx.codes.OK)

    def wait_printed(self, words: str) -> str:
        """Return as soon as it has printed these words, with everything that it has printed."""
        self._wait_until(lambda: words in self.log())
        return self.log()

    def wait_created(self, path: Path) -> None:
        """Return as soon as it has made this file or folder."""
        self._wait_until(path.exists)

    def wait_loading(self, library: str) -> None:
        """Return as soon as a library of native code whose path has this in it is being loaded."""
        maps = Path(f"/proc/{self._process.pid}/maps")
        self._wait_until(lambda: library in maps.read_text())

    def kill(self) -> None:
        """`kill -9`; returns when it is gone."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def terminate(self) -> None:
        """What an orchestrator sends."""
        self._process.send_signal(signal.SIGTERM)

    def interrupt(self) -> None:
        """What Ctrl-C sends, to every process of the terminal's group."""
        os.killpg(self._process.pid, signal.SIGINT)

    def exit_code(self) -> int:
        """The exit code, once there is one."""
        return self._process.wait(PATIENCE)

    async def wait(self) -> int:
        """The exit code, once there is one; other tasks go on."""
        return await trio.to_thread.run_sync(self.exit_code)

    def log(self) -> str:
        """Everything that it has printed so far."""
        return self._output.read_text()

    def log_lines(self) -> list[LogLine]:
        """The structured part of it."""
        lines = self.log().splitlines()
        return [msgspec.json.decode(line, type=LogLine) for line in lines if line.startswith("{")]

    def end(self) -> None:
        """Whatever state it is in."""
        if self._process.poll() is None:
            self.kill()

    def _wait_until(self, fact: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not fact():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.01)


def _ports(process: psutil.Process) -> list[int]:
    open_sockets = process.net_connections("tcp")
    return [one.laddr.port for one in open_sockets if one.status == psutil.CONN_LISTEN]


@contextmanager
def starting_service(database_url: str, *command: str, **settings: str) -> Iterator[Service]:
    """A process of `pulsekeeper serve`, or of another `command`, that has just been started; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="pulsekeeper-test-") as folder:
        output = Path(folder) / "output"
        with output.open("wb") as sink:
            process = subprocess.Popen(
                _command_line(*command or ("serve",)),
                cwd=folder,  # where no configuration lies
                env=_environment(database_url, _SETTINGS | settings),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a process group of its own
            )
        service = Service(process, output)
        try:
            yield service
        finally:
            service.end()


@contextmanager
def running_service(database_url: str, **settings: str) -> Iterator[Service]:
    """A node that is ready, gone afterwards. `settings` as in `web__drain_delay="1s"`."""
    with starting_service(database_url, **settings) as service:
        service.wait_ready()
        yield service


def run_command(database_url: str, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command of `pulsekeeper`, run to its end beside whatever else runs."""
    with tempfile.TemporaryDirectory(prefix="pulsekeeper-test-") as folder:
        return subprocess.run(
            _command_line(*command),
            cwd=folder,
            env=_environment(database_url, _SETTINGS | settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


def _command_line(*command: str) -> list[str]:
    return [sys.executable, "-m", "pulsekeeper", *command]


def _environment(database_url: str, settings: Mapping[str, str]) -> dict[str, str]:
    """That of the tests without whatever configures a service on this machine, and with ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULSEKEEPER_", "DATABASE_URL"))}
    ours = {f"PULSEKEEPER_{name.upper()}": value for name, value in settings.items()}
    return kept | ours | {"PULSEKEEPER_DATABASE__URL": database_url}
