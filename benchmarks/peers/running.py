"""A peer while it runs: started on a port of its own, waited for until it answers, measured with its children."""

import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import httpx
import trio
from msgspec import Struct

from benchmarks.servers import Process, ServerFailed, end
from benchmarks.targets import Target
from benchmarks.wires import Address

HOST = "127.0.0.1"
_LAST_WORDS = 1000
_STARTING = 120.0
"""Seconds. Unleash brings its schema up to date first, in some hundred steps."""


class Server(Struct, frozen=True):
    """A running process, with all that it has started."""

    address: Address
    pid: int

    @property
    def origin(self) -> str:
        """How its URLs begin."""
        return "http://{}:{}".format(*self.address)

    def cpu(self) -> float:
        """Seconds of a core that it and its children have used so far. The database's processes do not count."""
        return sum(Process(self.address, pid).cpu() for pid in _family(self.pid))

    def asked(self, requests: Iterator[bytes], expected: bytes) -> Target:
        """The server as a loader needs it: requests without end, and what every good answer has in its body."""
        return Target(addresses=[self.address], requests=requests, cpu=self.cpu, expected=expected)


class Setting(Struct, frozen=True, kw_only=True):
    """What a peer may count on."""

    folder: Path
    """For its log and whatever it writes; gone afterwards."""
    url: str
    """Of the PostgreSQL server, on which it makes a database of its own."""
    visitors: int
    """How many people it is asked about; a peer that remembers has met all of them before it is measured."""


class Peer(Struct, frozen=True, kw_only=True):
    """Somebody to be measured beside."""

    name: str
    target: Target
    facts: Mapping[str, str] = {}
    """Versions, and settings that differ from the defaults."""


class Candidate(Struct, frozen=True, kw_only=True):
    """Somebody who may turn out not to start."""

    name: str
    open: Callable[[Setting], AbstractAsyncContextManager[Peer]]
    """Starts it, with everything that it needs, and ends it. Raises `ServerFailed` with its last words."""


class Program(Struct, frozen=True, kw_only=True):
    """How to start a server. `{port}` in the command and the environment stands for its port."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    """All of it: nothing of ours configures a peer by accident."""
    health: str
    """The path that is answered with a success when it is ready."""


@asynccontextmanager
async def serving(program: Program, folder: Path) -> AsyncIterator[Server]:
    """The running program, which is ended in any case.

    Raises `ServerFailed` with its last words when it does not start, and when the block breaks because it has ended or
    has stopped answering.
    """
    port, log = _free_port(), folder / f"{program.name}.log"
    process = await _start(program, port, log)
    server = Server((HOST, port), process.pid)
    try:
        await _wait_ready(process, server.origin + program.health)
        yield server
    except Exception as error:
        if process.poll() is None and not isinstance(error, trio.TooSlowError):
            raise
        ending = "does not answer" if process.returncode is None else f"ended with {process.returncode}"
        raise ServerFailed(f"{program.name} {ending}: {_last_words(log)}") from error
    finally:
        with trio.CancelScope(shield=True):
            await end(process)


async def _start(program: Program, port: int, log: Path) -> trio.Process:
    with log.open("wb") as output:
        return await trio.lowlevel.open_process(
            [part.replace("{port}", str(port)) for part in program.command],
            env={name: value.replace("{port}", str(port)) for name, value in program.environment.items()},
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for us; we stop it when nobody asks it any more
        )


async def _wait_ready(process: trio.Process, url: str) -> None:
    """Returns when it answers. Raises `OSError` when it has ended, and `TooSlowError` when it takes too long."""
    with trio.fail_after(_STARTING):
        async with httpx.AsyncClient(trust_env=False) as client:
            while process.poll() is None:
                with suppress(httpx.TransportError):
                    if (await client.get(url)).is_success:
                        return
                await trio.sleep(0.05)
    raise ConnectionRefusedError("it has ended before it answered")


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace").strip()[-_LAST_WORDS:] or "it said nothing"


def _free_port() -> int:
    """One that nobody listens on. Somebody might take it before the peer does, which then says so and is left out."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        return int(listening.getsockname()[1])


def _family(pid: int) -> Iterator[int]:
    """The process and all that descend from it."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from _family(int(child))
