"""Starts the echo."""

import itertools
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from benchmarks import examples
from benchmarks.peers import calls, running
from benchmarks.peers.running import Candidate, Peer, Program, Setting

NAME = "bare trio + httptools echo"
_PROGRAM = Path(__file__).with_name("echo.py")


@asynccontextmanager
async def open_echo(setting: Setting) -> AsyncIterator[Peer]:
    """The echo, in this Python, asked the same as the service."""
    program = Program(name="echo", command=[sys.executable, str(_PROGRAM), "{port}"], environment={}, health="/")
    request = calls.post("/api/experience/decide", examples.request("regular-00000000"))
    async with running.serving(program, setting.folder) as server:
        yield Peer(
            name=NAME,
            target=server.asked(itertools.repeat(request), expected=b'"decisions":[]'),
            facts={NAME: f"trio {version('trio')}, httptools {version('httptools')}; answers the same bytes each time"},
        )


ECHO = Candidate(name=NAME, open=open_echo)
