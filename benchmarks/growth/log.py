"""A decide where more and more decisions have been made before."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from benchmarks import servers, sites
from benchmarks.growth.log_filling import DAYS, fill_log
from benchmarks.growth.sizes import Growing, Size, asking, experiment
from benchmarks.measuring import Column, Opened, Plan

_PARTS = (100, 10, 1)
_CAMPAIGNS = 10
_LOG = Growing(
    what="rows of the log",
    title="decide, by rows of the log",
    about=(
        f"A node for each number, alone before its database, {_CAMPAIGNS} campaigns; known visitors, drawn at random. "
        f"The log is filled beforehand with copies of real rows, for other people, spread evenly over {DAYS} days in "
        "their partitions, today included. `log` is its size on the disk, with the indexes."
    ),
    file="growth-log",
    columns=(Column(name="log", title="log MiB", factor=2**-20),),
)


@asynccontextmanager
async def open_stage(plan: Plan) -> AsyncIterator[Opened]:
    """A node for each number of rows, all on one PostgreSQL."""
    with servers.temporary_folder() as name:
        folder = Path(name)
        async with servers.postgres(folder) as (url, facts), AsyncExitStack() as stack:
            sizes = []
            for rows in (max(plan.log_rows // part, 1) for part in _PARTS[: plan.steps]):
                database = await servers.new_database(url, f"log_{rows}")
                opening = _open_site(folder / f"node-{rows}", database, rows, plan.visitors)
                sizes.append(await stack.enter_async_context(opening))
            yield Opened(experiments=[experiment(_LOG, sizes)], facts=facts | sites.FACTS)


@asynccontextmanager
async def _open_site(folder: Path, url: str, rows: int, visitors: int) -> AsyncIterator[Size]:
    async with sites.open_site(folder, url, _CAMPAIGNS, visitors) as site:
        await sites.introduce(site.server, visitors)  # again: the rows of those who are known are what is copied
        size = await fill_log(url, rows)
        yield Size(number=rows, ask=asking(site.known()), figures={"log": size})
