"""What plug-ins and apps embed to tell the service how they are used, where their users have said yes.

    from pulsekeeper.client import Telemetry

It stands alone: it knows nothing of the rest of the package, and is as careful with its host as a guest should be. It
never raises into the program, never makes it wait, never prints, and stops for good when the user does not want it.
`course` decides what to do next and what an answer means, without sending anything; `agent` adds the queue on the
disk; two drivers, a thread and a task, make the calls.

To be read in this order: `model`, what is passed around; `answers`, `outcomes` and `course`, the thinking; `spool`,
`facts` and `folder`, what is on the disk; `packing` and `clerk`, from the one to the other; `tally` and `reporter`,
what is told; `agent`; `facade`, and the drivers `telemetry` and `async_telemetry` with their `transport`.
"""

import logging
from typing import TYPE_CHECKING

from pulsekeeper.client.model import Clocks, Stats
from pulsekeeper.client.telemetry import Telemetry

if TYPE_CHECKING:
    from pulsekeeper.client.async_telemetry import AsyncTelemetry

__all__ = ["AsyncTelemetry", "Clocks", "Stats", "Telemetry"]

logging.getLogger(__name__).addHandler(logging.NullHandler())  # or else warnings are printed where nobody set up logs


def __getattr__(name: str) -> object:
    """Programs without an event loop need not wait for the import of anyio."""
    if name == "AsyncTelemetry":
        from pulsekeeper.client.async_telemetry import AsyncTelemetry  # noqa: PLC0415  # see above

        return AsyncTelemetry
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
