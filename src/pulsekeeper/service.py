"""The house as a process: from its start until a signal ends it."""

import gc
import os
from collections.abc import Awaitable, Callable
from signal import SIGINT, SIGTERM

import structlog
import trio
from outcome import acapture

from pulsekeeper.config import Config
from pulsekeeper.house import House, open_house

_log = structlog.get_logger(__name__)

_INTERRUPTED = 130
_LAST_RESORT = 2.0
"""Seconds that cancelling everything may take after a second signal; then the process is gone, whatever it did."""


class GraceExceeded(Exception):
    """The service did not end in order within `shutdown.grace`, and was cut short."""


class Interrupted(Exception):
    """A signal came while the service was starting, or a second one while it was stopping, and cut it short."""


async def run_service(config: Config, when_ready: Callable[[House], Awaitable[None]]) -> None:
    """Run until SIGTERM or SIGINT, then stop in order within `shutdown.grace`; a second signal ends it at once.

    Before the actors are there, while a database is being created, say, the first signal does that already.
    Raises `GraceExceeded`, `Interrupted`, and whatever `open_house` raises. `when_ready` is called once, when requests
    can be served.
    """
    scopes = _Scopes()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_heed_signals, scopes)
        ended = await acapture(_run_house, config, when_ready, scopes)
        nursery.cancel_scope.cancel()
    ended.unwrap()  # only here, where no nursery puts an error into a group


class _Scopes:
    """What signals cancel."""

    def __init__(self) -> None:
        self.serving = trio.CancelScope()
        self.anything = trio.CancelScope()
        self.is_open = False
        """Whether there is a house that could be left in order."""


async def _run_house(config: Config, when_ready: Callable[[House], Awaitable[None]], scopes: _Scopes) -> None:
    with scopes.anything:
        with trio.CancelScope() as stopping:
            async with open_house(config) as house:
                scopes.is_open = True
                with scopes.serving:
                    await house.checklist.wait()
                    await when_ready(house)
                    _leave_to_itself()
                    await trio.sleep_forever()
                _log.info("stopping")
                stopping.deadline = trio.current_time() + config.shutdown.grace.total_seconds()
        if stopping.cancelled_caught:
            raise GraceExceeded(f"the service did not end within {config.shutdown.grace}")
        _log.info("stopped")
        return
    raise Interrupted("interrupted before the service had stopped in order" if scopes.is_open else "interrupted")


def _leave_to_itself() -> None:
    """Spare the garbage collector what is there to stay: the modules, the tables of routes, the tree.

    It would look at all of it again and again, because requests make many short-lived objects: up to a quarter of the
    time in ingest, and pauses of tens of milliseconds.
    """
    gc.collect()
    gc.freeze()


async def _heed_signals(scopes: _Scopes) -> None:
    """The first signal ends serving, the second one everything; as does the first where nothing is served yet."""
    with trio.open_signal_receiver(SIGINT, SIGTERM) as signals:
        async for _ in signals:
            if scopes.serving.cancel_called or not scopes.is_open:
                break
            scopes.serving.cancel()
        _log.warning("interrupted")
        scopes.anything.cancel()
        await trio.sleep(_LAST_RESORT)
        os._exit(_INTERRUPTED)
