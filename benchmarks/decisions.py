"""What a page waits for: decisions over HTTP, each committed to the disk before it is answered."""

import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec

from benchmarks import servers, shares, sites
from benchmarks.loader import closed_loop
from benchmarks.measuring import Case, Column, Experiment, Opened, Plan, Sample
from benchmarks.sites import Site

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
    """For each number of campaigns a node with visitors who have been there before, all on one PostgreSQL."""
    with servers.temporary_folder() as name:
        folder = Path(name)
        async with servers.postgres(folder) as (url, facts), AsyncExitStack() as stack:
            opened = []
            for size in plan.campaigns:
                database = await servers.new_database(url, f"campaigns_{size}")
                node = sites.open_site(folder / f"node-{size}", database, size, plan.visitors)
                opened.append(await stack.enter_async_context(node))
            experiments = [_experiment(opened, plan), shares.experiment(opened)]
            yield Opened(experiments=experiments, facts=facts | sites.FACTS)


def _experiment(opened: Sequence[Site], plan: Plan) -> Experiment:
    return Experiment(
        title="decisions over HTTP",
        about=(
            "One node, loader and PostgreSQL on the same machine; every decision is committed before it is answered, "
            f"but for the degraded. Known visitors are {plan.visitors}, drawn at random; an unknown one comes once. "
            "Closed loop. The limit is /healthz at as many connections: HTTP alone. `server CPU` is per request and "
            "counts the node only; it tells most where others use the machine too."
        ),
        labels=("what", "campaigns", "connections"),
        columns=_COLUMNS,
        cases=list(_cases(opened, plan)),
    )


def _cases(opened: Sequence[Site], plan: Plan) -> Iterator[Case]:
    """The first site under every load, the others under the middle one: what campaigns cost, load hardly changes."""
    middle = sorted(plan.connections)[len(plan.connections) // 2]
    for connections in plan.connections:
        yield _healthz(opened[0], connections)
        yield from _decides(opened[0], connections)
    for site in opened[1:]:
        yield from _decides(site, middle)


def _healthz(site: Site, connections: int) -> Case:
    requests = itertools.repeat(sites.HEALTHZ)
    return Case(labels=_limit(connections), measure=partial(_measure, site, connections, requests))


def _decides(site: Site, connections: int) -> Iterator[Case]:
    for who, requests in (("known visitors", site.regulars()), ("unknown visitors", site.strangers)):
        yield Case(
            labels=(who, str(site.campaigns), str(connections)),
            measure=partial(_measure, site, connections, requests),
            limit=_limit(connections),
        )


def _limit(connections: int) -> tuple[str, str, str]:
    return "/healthz", "", str(connections)


async def _measure(site: Site, connections: int, requests: Iterator[bytes], seconds: float) -> Sample:
    used_before = site.server.cpu()
    sample = await closed_loop(site.server.address, requests, connections=connections, seconds=seconds)
    used = (site.server.cpu() - used_before) / sample.calls
    return msgspec.structs.replace(sample, extra={**sample.extra, "server_cpu": used})
