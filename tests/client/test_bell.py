"""What wakes the worker, and a host that is interrupted by signals."""

import subprocess
import sys
import threading
from pathlib import Path

from pulsekeeper.client.bell import Bell


def test_it_is_heard_by_who_waits_and_by_who_waits_next() -> None:
    bell = Bell()
    waiting = threading.Thread(target=bell.wait, args=(None,))
    waiting.start()
    bell.ring()
    waiting.join(10)
    assert not waiting.is_alive()
    bell.ring()
    bell.wait(None)


def test_silence_forgets_every_ring() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    bell.silence()
    bell.wait(0.001)  # and returns by itself


def test_a_signal_handler_may_tell_of_an_event_while_another_is_being_told_of(tmp_path: Path) -> None:
    """Locks that do not know their owner, and `threading.Event`, hang the program for ever."""
    program = Path(__file__).parent / "interrupted_program.py"
    done = subprocess.run([sys.executable, str(program), str(tmp_path)], capture_output=True, timeout=30, check=True)
    assert done.stdout == b"True\n"
