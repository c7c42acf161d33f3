"""A decide where more and more visitors are known, and what it costs a node to remember all of them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from pathlib import Path

from benchmarks import report, servers, sites
from benchmarks.charts import Panel
from benchmarks.growth.sizes import Growing, Size, asking, experiment
from benchmarks.growth.visitor_filling import fill_visitors, settle
from benchmarks.loader import closed_loop
from benchmarks.measuring import Column, Opened, Plan

_TIMES = (1, 100, 1000)
_CAMPAIGNS = 10
_FIRST = 500
"""Requests of others at most, after which a node has made what it makes once."""
_VISITORS = Growing(
    what="known visitors",
    title="decide, by known visitors",
    about=(
        f"A node for each number, alone before its database, {_CAMPAIGNS} campaigns. The visitors' rows are loaded by "
        "COPY; then every visitor comes once, and the node remembers all of them (decisions.remembered is set to their "
        "number); then PostgreSQL vacuums and makes a checkpoint. Requests are drawn over all of them at random. `KiB "
        "each` is what the node's resident memory has grown by since before they came, for each; where they are few it "
        "says more of other things. `row` is what a visitor takes in PostgreSQL, with the index. The aim for a million "
        "of them: at most 1 KiB each, and at least 0.80 of the first row's requests a second."
    ),
    file="growth-visitors",
    columns=(
        Column(name="memory", title="node MiB", factor=2**-20),
        Column(name="each", title="KiB each", factor=2**-10, digits=2),
        Column(name="row", title="row KiB", factor=2**-10, digits=2),
    ),
    panels=(
        Panel(title="KiB a visitor", figures={"each": "memory of the node", "row": "row and index"}, factor=2**-10),
    ),
)

_FACTS = {"settings": f"{sites.FACTS['settings']}, decisions.remembered = the number of known visitors"}


@asynccontextmanager
async def open_stage(plan: Plan) -> AsyncIterator[Opened]:
    """A node for each number of visitors, all on one PostgreSQL."""
    with servers.temporary_folder() as name:
        folder = Path(name)
        async with servers.postgres(folder) as (url, facts), AsyncExitStack() as stack:
            sizes = []
            for number in (plan.visitors * times for times in _TIMES[: plan.steps]):
                database = await servers.new_database(url, f"visitors_{number}")
                sizes.append(await stack.enter_async_context(_open_crowd(folder / f"node-{number}", database, number)))
            yield Opened(experiments=[experiment(_VISITORS, sizes)], facts=facts | _FACTS)


@asynccontextmanager
async def _open_crowd(folder: Path, url: str, visitors: int) -> AsyncIterator[Size]:
    async with sites.node(folder, url, remembered=visitors).serving() as server:
        await sites.put_in_force(url, _CAMPAIGNS)
        row = await fill_visitors(url, visitors)
        others = islice(sites.strangers(), min(_FIRST, visitors))
        await closed_loop(server.address, others, connections=8, seconds=_FIRST)
        before = server.memory()
        with report.preparing(f"{visitors:,} visitors come once", 100) as say:
            await sites.introduce(server, visitors, lambda met: say(f"{met:,}"))
        await settle(url)
        memory = server.memory()
        site = sites.Site(campaigns=_CAMPAIGNS, url=url, server=server, visitors=visitors, strangers=sites.strangers())
        figures = {"memory": float(memory), "each": max(memory - before, 0) / visitors, "row": row}
        yield Size(number=visitors, ask=asking(site.known()), figures=figures)
