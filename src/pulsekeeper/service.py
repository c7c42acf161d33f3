"""The house as a process: from its start until a signal ends it."""

import os
from collections.abc import Awaitable, Callable
from signal import SIGINT, SIGTERM

import structlog
import trio

from pulsekeeper.config import Config
from pulsekeeper.house import House, open_house

_log = structlog.get_logger(__name__)

_INTERRUPTED = 130
_LAST_RESORT = 2.0
"""Seconds that cancelling everything may take after a second signal; then the process is gone, whatever it did."""


class GraceExceeded(Exception):
    """The service did not end in order within `shutdown.grace`, and was cut short."""


async def run_service(config: Config, when_ready: Callable[[House], Awaitable[None]]) -> None:
    """Run until SIGTERM or SIGINT, then stop in order within `shutdown.grace`; a second signal ends it at once.

    Raises `GraceExceeded`, and whatever `open_house` raises. `when_ready` is called once, when requests can be served.
    """
    stop = trio.Event()
    everything = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_heed_signals, stop, everything)
        with everything:
            async with open_house(config) as house:
                nursery.start_soon(_announce, house, when_ready)
                await stop.wait()
                _log.info("stopping")
                everything.deadline = trio.current_time() + config.shutdown.grace.total_seconds()
        nursery.cancel_scope.cancel()
    if everything.cancelled_caught:
        raise GraceExceeded(f"the service did not end within {config.shutdown.grace}")
    _log.info("stopped")


async def _announce(house: House, when_ready: Callable[[House], Awaitable[None]]) -> None:
    await house.checklist.wait()
    await when_ready(house)


async def _heed_signals(stop: trio.Event, everything: trio.CancelScope) -> None:
    with trio.open_signal_receiver(SIGINT, SIGTERM) as signals:
        async for _ in signals:
            if stop.is_set():
                break
            stop.set()
        everything.cancel()
        with trio.CancelScope(shield=True):
            await trio.sleep(_LAST_RESORT)
            os._exit(_INTERRUPTED)
