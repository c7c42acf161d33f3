"""What a page waits for: decisions over HTTP, each committed to the disk before it is answered."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random

import msgspec

from benchmarks import examples, servers
from benchmarks.loader import Address, closed_loop
from benchmarks.measuring import Case, Column, Experiment, Opened, Sample

_CAMPAIGNS = 20
_KNOWN = 1000
_CONNECTIONS = (1, 32, 128)
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
    Column(name="loader", title="loader, cores", digits=2),
)


@asynccontextmanager
async def open_stage() -> AsyncIterator[Opened]:
    """One node before one PostgreSQL, with campaigns in force and a thousand visitors who have been there before."""
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
            async with node.serving() as address:
                await node.apply(examples.campaigns(_CAMPAIGNS))
                await _introduce(address)
                yield Opened(
                    experiments=[_experiment(address)],
                    facts=facts | {"settings": f"defaults, but decisions.calls_per_minute = {_PER_MINUTE}"},
                )


def _experiment(address: Address) -> Experiment:
    return Experiment(
        title="decisions over HTTP",
        about=(
            f"One node with {_CAMPAIGNS} campaigns, loader and PostgreSQL on the same machine; every decision is "
            f"committed before it is answered, but for the degraded. Known visitors are {_KNOWN}, drawn at random; "
            "an unknown one comes once. Closed loop. The limit is /healthz at as many connections: HTTP alone."
        ),
        labels=("what", "connections"),
        columns=_COLUMNS,
        cases=list(_cases(address)),
    )


def _cases(address: Address) -> Iterator[Case]:
    known, unknown = _known_visitors(), _unknown_visitors()
    for connections in _CONNECTIONS:
        load = partial(closed_loop, address, connections=connections)
        healthz = Case(
            labels=("/healthz", str(connections)), measure=partial(_measure, load, itertools.repeat(_HEALTHZ))
        )
        yield healthz
        for who, requests in (("known visitors", known), ("unknown visitors", unknown)):
            yield Case(labels=(who, str(connections)), measure=partial(_measure, load, requests), limit=healthz.labels)


async def _measure(load: Callable[..., Awaitable[Sample]], requests: Iterator[bytes], seconds: float) -> Sample:
    return await load(requests=requests, seconds=seconds)


async def _introduce(address: Address) -> None:
    """Let every known visitor come once."""
    everybody = iter([_request(_known(number)) for number in range(_KNOWN)])
    met = await closed_loop(address, everybody, connections=8, seconds=_MEETING)
    if met.calls < _KNOWN or met.extra["errors"]:
        raise servers.ServerFailed(f"only {met.calls} of {_KNOWN} visitors could be introduced: {met.extra}")


def _known_visitors() -> Iterator[bytes]:
    choice = Random(1).choice  # noqa: S311  # the same visitors in every run
    requests = [_request(_known(number)) for number in range(_KNOWN)]
    while True:
        yield choice(requests)


def _unknown_visitors() -> Iterator[bytes]:
    return (_request(f"stranger-{number:08}") for number in itertools.count())


def _known(number: int) -> str:
    return f"regular-{number:08}"


def _request(visitor_id: str) -> bytes:
    body = _encoder.encode(examples.request(visitor_id))
    return (
        b"POST /api/experience/decide HTTP/1.1\r\nHost: benchmark\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
