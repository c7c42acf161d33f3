"""What has to happen before this node is ready, and whether it has."""

from collections.abc import Sequence

import trio


class Checklist:
    """Named conditions, each of which is met once and for all."""

    def __init__(self) -> None:
        self._open: dict[str, trio.Event] = {}

    def expect(self, reason: str, met: trio.Event | None = None) -> trio.Event:
        """Add a condition. `reason` is what is said while it is not met; the event is set when it is."""
        self._open[reason] = event = trio.Event() if met is None else met
        return event

    def reasons(self) -> Sequence[str]:
        """What is not met yet; empty when the node is ready."""
        return tuple(reason for reason, met in self._open.items() if not met.is_set())

    async def wait(self) -> None:
        """Return when everything that is expected by now has happened."""
        for met in tuple(self._open.values()):
            await met.wait()
