"""What a page waits for: decisions over HTTP, each committed to the disk before it is answered."""

import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random

import msgspec

from benchmarks import examples, servers
from benchmarks.loader import closed_loop
from benchmarks.measuring import Case, Column, Experiment, Opened, Plan, Sample

_CAMPAIGNS = 20
_PER_MINUTE = 1_000_000_000
"""The rate limits must not be what is measured."""

_MEETING = 60.0
"""Seconds in which every known visitor has to have come once."""
_HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: benchmark\r\n\r\n"

_encoder = msgspec.json.Encoder()

_COLUMNS = (
    Column(name="per_second", title="requests/s"),
    Column(name="p50", title="p50 ms", factor=1e3, digits=2),
    Column(name="p95", title="p95 ms", factor=1e3, digits=2),
    Column(name="p99", title="p99 ms", factor=1e3, digits=2),
    Column(name="degraded", title="degraded %", factor=100, digits=2),
    Column(name="errors", title="errors"),
    Column(name="of_limit", title="of the limit", digits=2),
    Column(name="server_cpu", title="server CPU ms", factor=1e3, digits=2),
    Column(name="loader", title="loader, cores", digits=2),
)


@asynccontextmanager
async def open_stage(plan: Plan) -> AsyncIterator[Opened]:
    """One node before one PostgreSQL, with campaigns in force and visitors who have been there before."""
    with servers.temporary_folder() as folder:
        async with servers.postgres(Path(folder)) as (url, facts):
            node = servers.Node(
                Path(folder),
                {
                    "web": {"bind": "127.0.0.1:0"},
                    "database": {"url": url},
                    "decisions": {"calls_per_minute": _PER_MINUTE},
                },
            )
            async with node.serving() as server:
                await node.apply(examples.campaigns(_CAMPAIGNS))
                known = [_request(f"regular-{number:08}") for number in range(plan.visitors)]
                await _introduce(server, known)
                yield Opened(
                    experiments=[_experiment(server, plan, known)],
                    facts=facts | {"settings": f"defaults, but decisions.calls_per_minute = {_PER_MINUTE}"},
                )


def _experiment(server: servers.Process, plan: Plan, known: Sequence[bytes]) -> Experiment:
    return Experiment(
        title="decisions over HTTP",
        about=(
            f"One node with {_CAMPAIGNS} campaigns, loader and PostgreSQL on the same machine; every decision is "
            f"committed before it is answered, but for the degraded. Known visitors are {len(known)}, drawn at random; "
            "an unknown one comes once. Closed loop. The limit is /healthz at as many connections: HTTP alone. "
            "`server CPU` is per request and counts the node only; it tells most where others use the machine too."
        ),
        labels=("what", "connections"),
        columns=_COLUMNS,
        cases=list(_cases(server, plan, known)),
    )


def _cases(server: servers.Process, plan: Plan, known: Sequence[bytes]) -> Iterator[Case]:
    strangers = (_request(f"stranger-{number:08}") for number in itertools.count())
    for connections in plan.connections:
        measure = partial(_measure, server, connections)
        labels = ("/healthz", str(connections))
        yield Case(labels=labels, measure=partial(measure, itertools.repeat(_HEALTHZ)))
        for who, requests in (("known visitors", _at_random(known)), ("unknown visitors", strangers)):
            yield Case(labels=(who, str(connections)), measure=partial(measure, requests), limit=labels)


async def _measure(server: servers.Process, connections: int, requests: Iterator[bytes], seconds: float) -> Sample:
    used_before = server.cpu()
    sample = await closed_loop(server.address, requests, connections=connections, seconds=seconds)
    used = (server.cpu() - used_before) / sample.calls
    return msgspec.structs.replace(sample, extra={**sample.extra, "server_cpu": used})


async def _introduce(server: servers.Process, known: Sequence[bytes]) -> None:
    """Let every known visitor come once."""
    everybody = iter(known)
    met = await closed_loop(server.address, everybody, connections=8, seconds=_MEETING)
    if met.extra["errors"] or next(everybody, None) is not None:
        raise servers.ServerFailed(f"not all of {len(known)} visitors could be introduced: {met.extra}")


def _at_random(requests: Sequence[bytes]) -> Iterator[bytes]:
    choice = Random(1).choice  # noqa: S311  # the same order in every run
    while True:
        yield choice(requests)


def _request(visitor_id: str) -> bytes:
    body = _encoder.encode(examples.request(visitor_id))
    return (
        b"POST /api/experience/decide HTTP/1.1\r\nHost: benchmark\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
