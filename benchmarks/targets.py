"""What a loader is pointed at, and the columns for what it finds."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from benchmarks.loader import closed_loop, open_loop
from benchmarks.measuring import Case, Column, Labels, Sample
from benchmarks.wires import Address

WAITING_ROOM = 128
"""Connections of an open loop. Where more are wanted at once, a server is beyond what it can do."""

RATE = Column(name="per_second", title="requests/s")
LATENCIES = (
    Column(name="p50", title="p50 ms", factor=1e3, digits=2),
    Column(name="p90", title="p90 ms", factor=1e3, digits=2),
    Column(name="p99", title="p99 ms", factor=1e3, digits=2),
    Column(name="p999", title="p99.9 ms", factor=1e3, digits=2),
    Column(name="max", title="max ms", factor=1e3, digits=1),
)
FAULTS = (
    Column(name="degraded", title="degraded %", factor=100, digits=2),
    Column(name="errors", title="errors"),
)
LIMIT = Column(name="of_limit", title="of the limit", digits=2)
EFFORTS = (
    Column(name="server_cpu", title="server CPU ms", factor=1e3, digits=2),
    Column(name="loader", title="loader, cores", digits=2),
)


class Target(Struct, frozen=True, kw_only=True):
    """A running service and what is asked of it, ours or another."""

    addresses: Sequence[Address]
    """Of its servers, at least one; connections are dealt evenly."""
    requests: Iterator[bytes]
    """Endless, and whole: request lines, headers, bodies."""
    cpu: Callable[[], float]
    """Seconds of a core that its processes have used so far, without those of the database."""
    expected: bytes = b""
    """What every good answer has in its body."""


async def ask_closed(target: Target, connections: int, seconds: float) -> Sample:
    """Ask as fast as it answers, with its CPU for each request among the figures."""
    address, *others = target.addresses
    before = target.cpu()
    sample = await closed_loop(
        address,
        target.requests,
        connections=connections,
        seconds=seconds,
        expected=target.expected,
        others=others,
    )
    return _with_cpu(target, before, sample)


async def ask_at_rate(target: Target, rate: float, seconds: float) -> Sample:
    """Ask at a constant rate, requests a second, with the same figure."""
    address, *others = target.addresses
    before = target.cpu()
    sample = await open_loop(
        address,
        target.requests,
        rate=rate,
        seconds=seconds,
        connections=WAITING_ROOM,
        expected=target.expected,
        others=others,
    )
    return _with_cpu(target, before, sample)


def closed_case(target: Target, labels: Labels, connections: int, limit: Labels | None = None) -> Case:
    """A row of a closed loop."""
    return Case(labels=labels, measure=partial(ask_closed, target, connections), limit=limit)


def _with_cpu(target: Target, before: float, sample: Sample) -> Sample:
    if not sample.extra["asked"]:
        return sample
    return replace(sample, extra={**sample.extra, "server_cpu": (target.cpu() - before) / sample.extra["asked"]})
