"""What a page waits for: decisions over HTTP, each committed to the disk before it is answered."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from benchmarks import rates, servers, shares, sites
from benchmarks.measuring import Case, Experiment, Opened, Plan
from benchmarks.sites import Site
from benchmarks.targets import EFFORTS, FAULTS, LATENCIES, LIMIT, RATE, closed_case

_COLUMNS = (RATE, *LATENCIES, *FAULTS, LIMIT, *EFFORTS)
_WHERE = "One node, loader and PostgreSQL on the same machine; every decision is committed before it is answered, but "


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
            experiments = [_closed(opened, plan), _at_rates(opened[0], plan), shares.experiment(opened)]
            yield Opened(experiments=experiments, facts=facts | sites.FACTS)


def _closed(opened: Sequence[Site], plan: Plan) -> Experiment:
    return Experiment(
        title="decisions over HTTP",
        about=(
            f"{_WHERE}for the degraded. Known visitors are {plan.visitors}, drawn at random; an unknown one comes "
            "once. Closed loop. The limit is /healthz at as many connections: HTTP alone. `server CPU` is per request "
            "and counts the node only; it tells most where others use the machine too."
        ),
        labels=("what", "campaigns", "connections"),
        columns=_COLUMNS,
        cases=list(_cases(opened, plan)),
    )


def _at_rates(site: Site, plan: Plan) -> Experiment:
    about = (
        f"{_WHERE}for the degraded. {site.campaigns} campaigns; known visitors are {plan.visitors}, drawn at random."
    )
    return rates.experiment(
        "decisions at constant rates", about, {"known visitors": site.known()}, "decide-latency-by-rate"
    )


def _cases(opened: Sequence[Site], plan: Plan) -> Iterator[Case]:
    """The first site under every load, the others under the middle one: what campaigns cost, load hardly changes."""
    middle = sorted(plan.connections)[len(plan.connections) // 2]
    for connections in plan.connections:
        yield closed_case(opened[0].healthz(), _limit(connections), connections)
        yield from _decides(opened[0], connections)
    for site in opened[1:]:
        yield from _decides(site, middle)


def _decides(site: Site, connections: int) -> Iterator[Case]:
    for who, target in (("known visitors", site.known()), ("unknown visitors", site.unknown())):
        labels = (who, str(site.campaigns), str(connections))
        yield closed_case(target, labels, connections, _limit(connections))


def _limit(connections: int) -> tuple[str, str, str]:
    return "/healthz", "", str(connections)
