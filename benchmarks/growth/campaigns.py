"""A decide with more and more campaigns in force."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from benchmarks import servers, sites
from benchmarks.growth.sizes import Growing, Size, asking, experiment
from benchmarks.measuring import Opened, Plan

_CAMPAIGNS = Growing(
    what="campaigns",
    title="decide, by campaigns in force",
    about="A node for each number, alone before its database; known visitors, drawn at random.",
    file="growth-campaigns",
)


@asynccontextmanager
async def open_stage(plan: Plan) -> AsyncIterator[Opened]:
    """A node for each number of campaigns, all on one PostgreSQL."""
    with servers.temporary_folder() as name:
        folder = Path(name)
        async with servers.postgres(folder) as (url, facts), AsyncExitStack() as stack:
            sizes = []
            for number in sorted({1, *plan.campaigns}):
                database = await servers.new_database(url, f"campaigns_{number}")
                site = await stack.enter_async_context(
                    sites.open_site(folder / f"node-{number}", database, number, plan.visitors)
                )
                sizes.append(Size(number=number, ask=asking(site.known())))
            yield Opened(experiments=[experiment(_CAMPAIGNS, sizes)], facts=facts | sites.FACTS)
