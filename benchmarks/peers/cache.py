"""Where the peers are installed: once for all runs, into `$XDG_CACHE_HOME/pulsekeeper-benchmarks`.

A folder holds what its note says. One without its note was interrupted, one with another note is of another time: both
are made anew. The versions are exact, so that a table can be made again.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from benchmarks.servers import ServerFailed

PYTHON_PACKAGES = (
    "fastapi==0.165.0",
    "uvicorn==0.54.0",
    "uvloop==0.23.0",
    "httptools==0.9.0",
    "pydantic==2.14.3",
    "asyncpg==0.32.0",
    "tzdata==2026.6",
)
NODE_PACKAGES = ("unleash-server@7.5.1",)
_NOTE = "installed.txt"
_LAST_WORDS = 1000


def folder() -> Path:
    """All of it."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(named) if Path(named).is_absolute() else Path.home() / ".cache") / "pulsekeeper-benchmarks"


async def python() -> Path:
    """The Python that has the packages. Raises `ServerFailed` with pip's own words when they cannot be had."""
    place = folder() / f"python-{sys.version_info.major}.{sys.version_info.minor}"
    program = place / "bin" / "python"
    async with _to_be_filled(place, PYTHON_PACKAGES) as is_empty:
        if is_empty:
            await run(sys.executable, "-m", "venv", "--without-pip", str(place))
            await run(sys.executable, "-m", "pip", "--python", str(program), "install", "--quiet", *PYTHON_PACKAGES)
    return program


async def node_modules() -> Path:
    """The folder with the packages of Node. What they would run at installation is not run."""
    place = folder() / "node"
    async with _to_be_filled(place, NODE_PACKAGES) as is_empty:
        if is_empty:
            quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--loglevel=error")
            await run("npm", "install", *quiet, f"--prefix={place}", *NODE_PACKAGES)
    return place / "node_modules"


@asynccontextmanager
async def _to_be_filled(place: Path, packages: Sequence[str]) -> AsyncIterator[bool]:
    """An empty folder that the block fills, or the filled one. Another run that fills it is waited for."""
    note, wanted = place / _NOTE, "\n".join(packages)
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / f"{place.name}.lock").open("wb") as lock:
        await trio.to_thread.run_sync(fcntl.flock, lock, fcntl.LOCK_EX, abandon_on_cancel=True)
        is_empty = not note.exists() or note.read_text() != wanted
        if is_empty:
            await trio.to_thread.run_sync(_clear, place)
            print(f"installing {', '.join(packages)} ...", file=sys.stderr, flush=True)
        yield is_empty
        note.write_text(wanted)


def _clear(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()


async def run(*command: str) -> str:
    """What a program says. Raises `ServerFailed` with its last words when it fails or is not there."""
    try:
        done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    except FileNotFoundError:
        raise ServerFailed(f"{command[0]} is not on this machine") from None
    if done.returncode:
        raise ServerFailed(f"{subprocess.list2cmdline(command)}: {_last(done.stderr or done.stdout)}")
    return done.stdout.decode(errors="replace").strip()


def _last(words: bytes) -> str:
    return words.decode(errors="replace").strip()[-_LAST_WORDS:]
