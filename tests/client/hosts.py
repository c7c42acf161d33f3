"""Programs that embed the client, in processes of their own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROGRAM = Path(__file__).parent / "host_program.py"
_PATIENCE = 60.0


@contextmanager
def host(url: str, folder: Path, first: int, events: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """A program that has begun; gone afterwards. Its lines are the numbers of the events that are safe."""
    program = subprocess.Popen(
        [sys.executable, "-W", "error", str(_PROGRAM), url, str(folder), str(first), str(events)],
        stdout=subprocess.PIPE,
    )
    assert program.stdout is not None
    try:
        assert program.stdout.readline() == b"begun\n"
        yield program
    finally:
        program.kill()
        program.wait()
        program.stdout.close()


def safe_until_killed(url: str, folder: Path, first: int, events: int) -> list[int]:
    """The numbers of the events that were safe when a program was killed: so many at least."""
    with host(url, folder, first) as program:
        return safe_when_killed(program, events)


def safe_when_killed(program: subprocess.Popen[bytes], events: int) -> list[int]:
    """The same for a program that has begun."""
    assert program.stdout is not None
    safe = [int(program.stdout.readline()) for _ in range(events)]
    program.kill()
    return safe + [int(line) for line in program.stdout]


def safe_at_the_end(url: str, folder: Path, first: int, events: int) -> list[int]:
    """The numbers of the events of a program that has run to its end."""
    with host(url, folder, first, events) as program:
        assert program.stdout is not None
        safe = [int(line) for line in program.stdout]
        assert program.wait(_PATIENCE) == 0
        return safe
