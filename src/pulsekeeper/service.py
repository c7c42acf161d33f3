"""The house as a process: from its start until a signal ends it."""

import os
from collections.abc import Awaitable, Callable
from signal import SIGINT, SIGTERM

import structlog
import trio
from outcome import acapture

from pulsekeeper.config import Config
from pulsekeeper.house import House, open_house

_log = structlog.get_logger(__name__)

INTERRUPTED = 130
"""The exit code of a process that was not given the time to end in order."""
_LAST_RESORT = 2.0
"""Seconds that cancelling everything may take after a second signal; then the process is gone, whatever it did."""


class GraceExceeded(Exception):
    """The service did not end in order within `shutdown.grace`, and was cut short."""


class Interrupted(Exception):
    """A second signal came while the service was stopping, and cut it short."""


async def run_service(config: Config, when_ready: Callable[[House], Awaitable[None]]) -> None:
    """Run until SIGTERM or SIGINT, then stop in order within `shutdown.grace`; a second signal ends it at once.

    Raises `GraceExceeded`, `Interrupted`, and whatever `open_house` raises. `when_ready` is called once, when requests
    can be served.
    """
    serving, anything = trio.CancelScope(), trio.CancelScope()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_heed_signals, serving, anything)
        ended = await acapture(_run_house, config, when_ready, serving, anything)
        nursery.cancel_scope.cancel()
    ended.unwrap()  # only here, where no nursery puts an error into a group


async def _run_house(
    config: Config,
    when_ready: Callable[[House], Awaitable[None]],
    serving: trio.CancelScope,
    anything: trio.CancelScope,
) -> None:
    with anything:
        with trio.CancelScope() as stopping:
            async with open_house(config) as house:
                with serving:
                    await house.checklist.wait()
                    await when_ready(house)
                    await trio.sleep_forever()
                _log.info("stopping")
                stopping.deadline = trio.current_time() + config.shutdown.grace.total_seconds()
        if stopping.cancelled_caught:
            raise GraceExceeded(f"the service did not end within {config.shutdown.grace}")
        _log.info("stopped")
        return
    raise Interrupted("interrupted before the service had stopped in order")


async def _heed_signals(serving: trio.CancelScope, anything: trio.CancelScope) -> None:
    """The first signal ends serving, the second one everything."""
    with trio.open_signal_receiver(SIGINT, SIGTERM) as signals:
        async for _ in signals:
            if serving.cancel_called:
                break
            serving.cancel()
        _log.warning("interrupted")
        anything.cancel()
        await trio.sleep(_LAST_RESORT)
        os._exit(INTERRUPTED)
