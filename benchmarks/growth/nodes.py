"""More and more nodes before one database, all on this machine, and whether they lose anything between them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from benchmarks import servers, sites
from benchmarks.growth.sizes import Growing, Size, asking, experiment
from benchmarks.measuring import Column, Opened, Plan, Sample
from benchmarks.servers import Process
from benchmarks.targets import Target
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline

_CAMPAIGNS = 10
_NODES = Growing(
    what="nodes",
    title="decide, by nodes",
    about=(
        f"Nodes before one database, {_CAMPAIGNS} campaigns; connections are dealt evenly over the nodes, known "
        "visitors are drawn at random for each request. So nearly every visitor comes to a node that has missed their "
        "last visit, which is the worst that a load balancer can do. Every call is a visit (decisions.visit_gap is "
        "0s). `answered` is how many answers said that they were committed, `logged` how many rows the log has got, "
        "`counted` by how many the visits in the visitors' states have grown: a lost update is an answer or a row "
        "without its visit. All of them are sums over the rounds. A degraded answer promises nothing, but may be "
        "committed all the same. `server CPU` is that of all nodes together. The aim: together they are never slower "
        "than one (at least 1.00 of the first), and nothing is lost."
    ),
    file="growth-nodes",
    columns=(
        Column(name="kept", title="answered"),
        Column(name="logged", title="logged"),
        Column(name="counted", title="counted"),
        Column(name="lost", title="lost"),
    ),
    is_log=False,
)
_FACTS = {"settings": f"{sites.FACTS['settings']}, decisions.visit_gap = 0s"}
_BOOKS = inline("""
    select
        (select coalesce(sum((state -> 'visits' ->> 'total')::bigint), 0)::bigint from visitors) as counted,
        (select count(*) from decision_log) as logged
""")


@asynccontextmanager
async def open_stage(plan: Plan) -> AsyncIterator[Opened]:
    """As many nodes as are ever asked at once; the others have nothing to do meanwhile."""
    with servers.temporary_folder() as name:
        folder = Path(name)
        async with servers.postgres(folder) as (server_url, facts), AsyncExitStack() as stack:
            url = await servers.new_database(server_url, "nodes")
            nodes = []
            for number in range(max(plan.nodes)):
                node = sites.node(folder / f"node-{number}", url, visit_gap="0s")
                nodes.append(await stack.enter_async_context(node.serving()))
            await sites.put_in_force(url, _CAMPAIGNS)
            await sites.introduce(nodes[0], plan.visitors)
            database = await stack.enter_async_context(servers.connected(url))
            sizes = [_size(database, nodes[:number], plan.visitors) for number in plan.nodes]
            yield Opened(experiments=[experiment(_NODES, sizes)], facts=facts | _FACTS)


def _size(database: Database, nodes: Sequence[Process], visitors: int) -> Size:
    target = Target(
        addresses=[node.address for node in nodes],
        requests=sites.drawn(visitors),
        cpu=lambda: sum(node.cpu() for node in nodes),
    )
    return Size(number=len(nodes), ask=partial(_ask, database, target))


async def _ask(database: Database, target: Target, seconds: float) -> Sample:
    """With the books, which are read in one moment each time."""
    [before] = await database.fetch(_BOOKS)
    sample = await asking(target)(seconds)
    [after] = await database.fetch(_BOOKS)
    counted, logged = after["counted"] - before["counted"], after["logged"] - before["logged"]
    lost = max(sample.extra["kept"] - counted, logged - counted, 0)
    return replace(sample, extra={**sample.extra, "counted": counted, "logged": logged, "lost": lost})
