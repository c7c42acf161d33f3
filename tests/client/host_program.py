"""A program that embeds the client, to be killed. Its lines are the numbers of the events that `event` returned for.

Arguments: the service's address, the folder, the first event's number, how many events (0: without end).
"""

import itertools
import os
import sys
import time
from typing import Any

from pulsekeeper.client import Telemetry


def main(url: str, folder: str, first: int, events: int) -> None:
    """Events at some hundreds a second, each written down when it is safe."""
    brief: dict[str, Any] = {"delay": 0.02, "patience": 20, "jitter": lambda ceiling: min(ceiling, 0.05)}
    with Telemetry(url, folder=folder, consent=True, **brief) as telemetry:
        os.write(1, b"begun\n")
        for number in itertools.count(first) if events == 0 else range(first, first + events):
            telemetry.event("something", number=number)
            os.write(1, b"%d\n" % number)
            time.sleep(0.001)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
