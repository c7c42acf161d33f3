"""What operators wait for: the figures of a month, beside the time of working out what they are read from."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter

from msgspec import Struct
from msgspec.structs import replace

from benchmarks import report, servers, sessions_clients
from benchmarks.loader import closed_loop
from benchmarks.measuring import Case, Column, Experiment, Opened, Plan, Sample
from pulsekeeper.clock import utc_now
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.migrator import migrate
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.sampling.loader import Loaded, load
from pulsekeeper.sessions.sampling.population import Sample as History
from pulsekeeper.sessions.usage.rebuilding import rebuild
from pulsekeeper.sessions.usage.rollup_store import LOT

_DAYS = 30
_EVENTS_OF_ONE = 140
"""What an installation does in a month, on average."""
_ANALYZE = inline("analyze")


class _Month(Struct, frozen=True, kw_only=True):
    """A month that is over, with its figures."""

    loaded: Loaded
    last: datetime
    """A moment on its last day."""
    worked_out_in: float
    """Seconds for the figures of all of it."""


@asynccontextmanager
async def open_stage(plan: Plan) -> AsyncIterator[Opened]:
    """A node before a month of made-up sessions."""
    with servers.temporary_folder() as name:
        folder = Path(name)
        async with servers.postgres(folder) as (url, facts):
            database_url = await servers.new_database(url, "month")
            month = await _make_up(database_url, plan.events)
            async with sessions_clients.node(folder / "node", database_url).serving() as server:
                yield Opened(experiments=[_experiment(server, month)], facts=facts)


async def _make_up(url: str, events: int) -> _Month:
    last = utc_now() - timedelta(days=1)
    history = History(seed=1, until=last.date(), days=_DAYS, installations=max(events // _EVENTS_OF_ONE, 1))
    async with servers.connected(url) as database:
        await migrate(database, utc_now())
        with report.preparing("making up a month", _DAYS) as say:
            days = itertools.count(1)
            loaded = await load(
                database, history, Settings(), utc_now(), lambda _: say(f"{next(days)} of {_DAYS} days")
            )
        worked_out_in = await _work_out(database, last - timedelta(days=_DAYS), loaded.sessions)
        await database.execute(_ANALYZE)
    return _Month(loaded=loaded, last=last, worked_out_in=worked_out_in)


async def _work_out(database: Database, since: datetime, sessions: int) -> float:
    with report.preparing("working out the figures", sessions // LOT + 2) as say:

        async def tell(done: int, total: int) -> None:
            say(f"{done:,} of {total:,} sessions")

        start = perf_counter()
        await rebuild(database, Settings(), since, utc_now(), tell)
        return perf_counter() - start


def _experiment(server: servers.Process, month: _Month) -> Experiment:
    loaded = month.loaded
    return Experiment(
        title="figures of a month",
        about=(
            f"{loaded.events:,} events in {loaded.sessions:,} sessions of {loaded.installations:,} installations on "
            f"{_DAYS} days. Requests over HTTP, one at a time, answered from the roll-ups; beside them the time of "
            "working the roll-ups out from the events, once, in this process."
        ),
        labels=("what",),
        columns=(
            Column(name="p50", title="p50 ms", factor=1e3, digits=1),
            Column(name="p95", title="p95 ms", factor=1e3, digits=1),
            Column(name="p99", title="p99 ms", factor=1e3, digits=1),
            Column(name="errors", title="errors"),
            Column(name="server_cpu", title="server CPU ms", factor=1e3, digits=1),
        ),
        cases=[*_cases(server, month)],
    )


def _cases(server: servers.Process, month: _Month) -> Iterator[Case]:
    for bucket, zone in (("day", "UTC"), ("day", "Europe/Berlin"), ("week", "Europe/Berlin")):
        request = _request(month.last, bucket, zone)
        yield Case(labels=(f"metrics by {bucket}, {zone}",), measure=partial(_ask, server, request))

    async def worked_out(_seconds: float) -> Sample:
        return Sample(calls=1, elapsed=month.worked_out_in, latencies=[month.worked_out_in])

    yield Case(labels=("working out the roll-ups",), measure=worked_out)


def _request(last: datetime, bucket: str, zone: str) -> bytes:
    first = last - timedelta(days=_DAYS - 1)
    query = f"from={first:%Y-%m-%d}&to={last:%Y-%m-%d}&bucket={bucket}&timezone={zone}"
    headers = f"Host: benchmark\r\nAuthorization: Bearer {sessions_clients.ADMIN_KEY}\r\n"
    return f"GET /api/sessions/metrics?{query} HTTP/1.1\r\n{headers}\r\n".encode()


async def _ask(server: servers.Process, request: bytes, seconds: float) -> Sample:
    used_before = server.cpu()
    sample = await closed_loop(server.address, itertools.repeat(request), connections=1, seconds=seconds)
    used = (server.cpu() - used_before) / sample.calls
    return replace(sample, extra={**sample.extra, "server_cpu": used})
