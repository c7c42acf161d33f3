"""A program that embeds the client and is interrupted all the time by a signal, whose handler tells of it as well.

Argument: the folder. It prints whether every event was counted.
"""

import signal
import sys
from types import FrameType

from pulsekeeper.client import Telemetry

_EVERY = 0.0005
"""Seconds. SQLite's waits end early when they are interrupted, so there are too few events for its log to be tidied."""
_EVENTS = 1_500


def main(folder: str) -> None:
    """Half of the events come while another one is being told of."""
    told = 0
    with Telemetry("http://127.0.0.1:9", folder=folder, consent=True, patience=0.1) as telemetry:

        def interrupt(_: int, __: FrameType | None) -> None:
            nonlocal told
            telemetry.event("interrupted")
            told += 1

        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, _EVERY, _EVERY)
        calls = 0
        while calls + told < _EVENTS:
            telemetry.event("something")
            calls += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(told > 0 and telemetry.stats.queued == calls + told)  # noqa: T201  # for the test


if __name__ == "__main__":
    main(sys.argv[1])
