"""What clients wait for: events and signs of life over HTTP, each committed to the disk before it is answered."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec

from benchmarks import servers, sessions_clients, sessions_embedded, sites
from benchmarks.loader import closed_loop
from benchmarks.measuring import Case, Column, Experiment, Opened, Plan, Sample
from benchmarks.sessions_clients import Clients, Pack, as_gzip, as_json, as_lines, open_clients
from benchmarks.sessions_direct import Speaker, open_speaker

_SIZE = 100
"""Events in a call."""
_MOST_CALLS, _MOST_EVENTS = 5_000, 100_000
"""A second, for which there are bodies."""
_TIMES = (
    Column(name="p50", title="p50 ms", factor=1e3, digits=2),
    Column(name="p95", title="p95 ms", factor=1e3, digits=2),
    Column(name="p99", title="p99 ms", factor=1e3, digits=2),
    Column(name="errors", title="errors"),
    Column(name="of_limit", title="of the limit", digits=2),
)
_LOADER = Column(name="loader", title="loader, cores", digits=2)


@asynccontextmanager
async def open_stage(plan: Plan) -> AsyncIterator[Opened]:
    """A node on a PostgreSQL of its own, and as many open sessions as there are visitors."""
    with servers.temporary_folder() as name:
        folder = Path(name)
        async with (
            servers.postgres(folder) as (url, facts),
            open_clients(folder / "node", await servers.new_database(url, "telemetry"), plan.visitors) as clients,
            open_speaker(clients.url, plan.visitors) as speaker,
        ):
            embedded = sessions_embedded.experiment(clients, folder)
            experiments = [_batches(clients, speaker, plan), _calls(clients, plan), embedded]
            yield Opened(experiments=experiments, facts=facts | sessions_clients.FACTS)


def _batches(clients: Clients, speaker: Speaker, plan: Plan) -> Experiment:
    return Experiment(
        title="events over HTTP",
        about=(
            f"Calls with {_SIZE} events each, of {plan.visitors} sessions in turn; bodies are made before. One node, "
            "loader and PostgreSQL on the same machine. Closed loop. The limit are the statements alone: the "
            "loader's process has the node's store write batches of as many calls, one after the other, into the "
            "node's database; its latencies are those of a batch. `server CPU` is the node's, without PostgreSQL."
        ),
        labels=("what", "as", "connections"),
        columns=(
            Column(name="events", title="events/s"),
            Column(name="per_second", title="calls/s"),
            *_TIMES,
            Column(name="server_cpu", title="server CPU µs/event", factor=1e6, digits=1),
            _LOADER,
        ),
        cases=list(_batch_cases(clients, speaker, plan)),
    )


def _batch_cases(clients: Clients, speaker: Speaker, plan: Plan) -> Iterator[Case]:
    """Plain JSON under every load, the other ways under the middle one."""
    middle = sorted(plan.connections)[len(plan.connections) // 2]
    for connections in plan.connections:
        direct = Case(labels=_limit(connections), measure=partial(_speak, speaker, connections))
        yield direct
        others = {"gzip": as_gzip, "NDJSON": as_lines} if connections == middle else {}
        for title, pack in {"JSON": as_json, **others}.items():
            measure = partial(_ingest, clients, pack, _SIZE, connections)
            yield Case(labels=("ingest", title, str(connections)), measure=measure, limit=direct.labels)


def _limit(connections: int) -> tuple[str, str, str]:
    return "the statements alone", "", str(connections)


def _calls(clients: Clients, plan: Plan) -> Experiment:
    return Experiment(
        title="signs of life over HTTP",
        about=(
            "Each call is committed before it is answered. The limit is /healthz at as many connections: HTTP alone. "
            "`server CPU` is per call, and the node's only."
        ),
        labels=("what", "connections"),
        columns=(
            Column(name="per_second", title="calls/s"),
            *_TIMES,
            Column(name="server_cpu", title="server CPU ms", factor=1e3, digits=2),
            _LOADER,
        ),
        cases=[case for connections in plan.connections for case in _call_cases(clients, connections)],
    )


def _call_cases(clients: Clients, connections: int) -> Iterator[Case]:
    bare = ("/healthz", str(connections))
    healthz, alive = itertools.repeat(sites.HEALTHZ), clients.signs_of_life()
    yield Case(labels=bare, measure=partial(_ask, clients, healthz, connections))
    yield Case(labels=("still-alive", str(connections)), measure=partial(_ask, clients, alive, connections), limit=bare)
    one_event = partial(_ingest, clients, as_json, 1, connections)
    yield Case(labels=("ingest, 1 event", str(connections)), measure=one_event, limit=bare)


async def _speak(speaker: Speaker, connections: int, seconds: float) -> Sample:
    sample = await speaker.speak(connections, _SIZE, seconds)
    return msgspec.structs.replace(sample, extra={**sample.extra, "events": sample.calls * _SIZE / sample.elapsed})


async def _ingest(clients: Clients, pack: Pack, size: int, connections: int, seconds: float) -> Sample:
    calls = min(_MOST_CALLS, _MOST_EVENTS // size) * seconds
    requests = clients.ingests(pack, size, int(calls) + 2 * connections)
    sample = await _ask(clients, requests, connections, seconds, expected=b'"accepted":%d,' % size)
    figures = {"events": sample.calls * size / sample.elapsed, "server_cpu": sample.extra["server_cpu"] / size}
    return msgspec.structs.replace(sample, extra={**sample.extra, **figures})


async def _ask(
    clients: Clients, requests: Iterator[bytes], connections: int, seconds: float, expected: bytes = b""
) -> Sample:
    used_before, server = clients.server.cpu(), clients.server
    sample = await closed_loop(server.address, requests, connections=connections, seconds=seconds, expected=expected)
    used = (server.cpu() - used_before) / sample.calls
    return msgspec.structs.replace(sample, extra={**sample.extra, "server_cpu": used})
