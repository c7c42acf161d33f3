"""A made-up history and the figures of it, one after the other, with something to look at meanwhile."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.partitions import midnight
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.sampling.loader import Loaded, load
from pulsekeeper.sessions.sampling.population import Sample
from pulsekeeper.sessions.usage.rebuilding import rebuild

Show = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]
"""Shows what is being done and how much of it there is; gives the function that says that so much more is done."""


async def fill(database: Database, sample: Sample, settings: Settings, now: datetime, show: Show) -> Loaded:
    """Write a history as far as it has happened by `now`, and work out its figures, which takes a while after it.

    Raises what `loader.load` raises. The history is there before its figures are: should they not be finished,
    `pulsekeeper sessions rebuild` does that.
    """
    with show("Making up sessions", sample.days) as day_done:
        loaded = await load(database, sample, settings, now, day_done)
    with show("Working out the figures", loaded.sessions) as advance:
        await _work_out(database, sample, settings, now, advance)
    return loaded


async def _work_out(
    database: Database, sample: Sample, settings: Settings, now: datetime, advance: Callable[[int], None]
) -> None:
    """From the first day on: where it was quiet before, it is settled that nobody was there."""
    shown = 0

    async def show_more(done: int, _total: int) -> None:
        nonlocal shown
        advance(done - shown)
        shown = done

    since = midnight(sample.day(0)) - timedelta(days=1)
    await rebuild(database, settings, since, now, show_more)
