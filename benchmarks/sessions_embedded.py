"""What an app feels and gets with the client that it embeds: how long telling takes, and how soon all is stored."""

from functools import partial
from pathlib import Path
from time import perf_counter, sleep

import trio

from benchmarks.measuring import Case, Column, Experiment, Sample
from benchmarks.sessions_clients import SHAPES, Clients
from pulsekeeper.client import Telemetry

_EVENTS_PER_SECOND = 3000
"""Told at once, for each second of a round: what the queue holds by its defaults must not overflow."""
_MOST = 9000
_PATIENCE = 60.0
_LOOK = 0.002
"""Seconds between two looks at what is acknowledged: short beside a batch, long beside a look."""


def experiment(clients: Clients, folder: Path) -> Experiment:
    """One program that tells of many events at once, with its queue on disk and with one in memory."""
    return Experiment(
        title="events by the embedded client",
        about=(
            "One program tells of events as fast as it can, and waits until every one of them is acknowledged; "
            "`events/s` counts the waiting, the times are those of one `event()`. Client and node share the machine."
        ),
        labels=("queue",),
        columns=(
            Column(name="per_second", title="events/s"),
            Column(name="p50", title="p50 µs", factor=1e6),
            Column(name="p99", title="p99 µs", factor=1e6),
            Column(name="lost", title="lost"),
        ),
        cases=[
            Case(labels=("on disk",), measure=partial(_tell, clients, folder / "queue")),
            Case(labels=("in memory",), measure=partial(_tell, clients, None)),
        ],
    )


async def _tell(clients: Clients, folder: Path | None, seconds: float) -> Sample:
    return await trio.to_thread.run_sync(_tell_and_wait, clients, folder, seconds)


def _tell_and_wait(clients: Clients, folder: Path | None, seconds: float) -> Sample:
    host, port = clients.server.address
    events = max(min(int(_EVENTS_PER_SECOND * seconds), _MOST), 1)
    with Telemetry(f"http://{host}:{port}", consent=True, folder=folder, delay=0.05) as telemetry:
        start = perf_counter()
        times = []
        for number in range(events):
            before = perf_counter()
            name, props = SHAPES[number % len(SHAPES)]
            telemetry.event(name, **props)
            times.append(perf_counter() - before)
        while telemetry.stats.acknowledged < events and perf_counter() < start + _PATIENCE:
            sleep(_LOOK)
        elapsed, acknowledged = perf_counter() - start, telemetry.stats.acknowledged
    return Sample(calls=acknowledged, elapsed=elapsed, latencies=times, extra={"lost": events - acknowledged})
