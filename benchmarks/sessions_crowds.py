"""Very many sessions at once: what they cost a node in memory, and how long it takes to end silent ones."""

import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter

import trio
from prometheus_client import CollectorRegistry

from benchmarks import report, servers, sessions_clients
from benchmarks.loader import closed_loop
from benchmarks.measuring import Case, Column, Experiment, Opened, Plan, Sample
from benchmarks.sessions_clients import Clients, open_clients, start_sessions
from pulsekeeper.actors.child import ChildSpec
from pulsekeeper.actors.mailbox import Mailbox, Ref
from pulsekeeper.actors.supervisor import Supervisor
from pulsekeeper.actors.tree import open_tree
from pulsekeeper.clock import utc_now
from pulsekeeper.postgres.migrator import migrate
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.numbers import Numbers
from pulsekeeper.sessions.reaper import Reaper, Sweep
from pulsekeeper.sessions.store import SessionStore

_AT_ONCE = 32
"""Connections over which the sessions are heard."""
_HEARD_TOGETHER = 2000
_HEARD_IN = 60.0
"""Seconds in which so many have to have been heard."""
_SILENT_FOR = timedelta(hours=2)


@asynccontextmanager
async def open_stage(plan: Plan) -> AsyncIterator[Opened]:
    """A node that knows nobody yet, and a reaper without a node, on one PostgreSQL."""
    with servers.temporary_folder() as name:
        folder = Path(name)
        async with (
            servers.postgres(folder) as (url, facts),
            open_clients(folder / "node", await servers.new_database(url, "crowd"), plan.sessions) as clients,
            _open_hall(await servers.new_database(url, "silence"), plan.sessions) as hall,
        ):
            experiments = [_memory(_Crowd(clients)), _sweeps(hall, plan.sessions)]
            yield Opened(experiments=experiments, facts=facts | sessions_clients.FACTS)


class _Crowd:
    """Sessions that the node has not been told about, before and after it has heard each of them once."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._before = clients.server.memory()
        self._heard = False

    async def before(self, _seconds: float) -> Sample:
        """What the node took when it had just started."""
        return _of_memory(self._before)

    async def after(self, _seconds: float) -> Sample:
        """What it takes when every session has been heard. Raises `ServerFailed` if one of them could not be."""
        if not self._heard:
            await self._hear_all()
            self._heard = True
        return _of_memory(self._clients.server.memory(), self._before)

    async def _hear_all(self) -> None:
        count = len(self._clients.tokens)
        signs = self._clients.signs_of_life()
        with report.preparing("hearing sessions", -(-count // _HEARD_TOGETHER)) as say:
            for begun in range(0, count, _HEARD_TOGETHER):
                say(f"{begun:,} of {count:,}")
                await self._hear(itertools.islice(signs, min(_HEARD_TOGETHER, count - begun)))

    async def _hear(self, signs: Iterator[bytes]) -> None:
        heard = await closed_loop(self._clients.server.address, signs, connections=_AT_ONCE, seconds=_HEARD_IN)
        if heard.extra["errors"] or next(signs, None) is not None:
            raise servers.ServerFailed(f"not every session could be heard: {heard.extra}")


def _of_memory(used: int, before: int = 0) -> Sample:
    extra = {"memory": float(used), "more": float(used - before)} if before else {"memory": float(used)}
    return Sample(calls=1, elapsed=1.0, latencies=(), extra=extra)


def _memory(crowd: _Crowd) -> Experiment:
    return Experiment(
        title="memory of a node",
        about="The resident memory of the node's process: when it has started, and when its sessions have been heard.",
        labels=("when",),
        columns=(
            Column(name="memory", title="MiB", factor=2**-20, digits=1),
            Column(name="more", title="more, MiB", factor=2**-20, digits=1),
        ),
        cases=[
            Case(labels=("before",), measure=crowd.before),
            Case(labels=("all sessions are open and heard",), measure=crowd.after),
        ],
    )


class _Hall:
    """A reaper, and sessions that have been silent for too long. Its clock stands still but for the sweeps."""

    def __init__(self, url: str, sessions: int) -> None:
        self._url = url
        self._sessions = sessions
        self._now = utc_now()

    def clock(self) -> datetime:
        """The time by which the reaper goes."""
        return self._now

    async def sweep(self, reaper: Ref[Sweep], _seconds: float) -> Sample:
        """Once, until nobody is left. Raises `ServerFailed` if anybody is."""
        await start_sessions(self._url, self._sessions, self._now)
        self._now += _SILENT_FOR
        start = perf_counter()
        swept = await reaper.ask(Sweep())
        elapsed = perf_counter() - start
        if swept.ended != self._sessions:
            raise servers.ServerFailed(f"{swept.ended} of {self._sessions} silent sessions were ended")
        return Sample(calls=self._sessions, elapsed=elapsed, latencies=[elapsed])


@asynccontextmanager
async def _open_hall(url: str, sessions: int) -> AsyncIterator[Sequence[Case]]:
    hall, mailbox = _Hall(url, sessions), Mailbox[Sweep]("reaper", 8)
    schema_ready = trio.Event()
    schema_ready.set()
    async with servers.connected(url) as database:
        await migrate(database, hall.clock())
        store, numbers = SessionStore(database, Settings()), Numbers(CollectorRegistry())

        def make_reaper() -> Reaper:
            return Reaper(store, Settings(), hall.clock, numbers, schema_ready)

        child = ChildSpec(name="reaper", start=make_reaper, mailbox=mailbox)
        async with open_tree(Supervisor([child])) as started:
            await started.wait()
            yield [Case(labels=(f"{sessions:,}",), measure=partial(hall.sweep, mailbox.ref))]


def _sweeps(cases: Sequence[Case], sessions: int) -> Experiment:
    return Experiment(
        title="a sweep of the reaper",
        about=(
            f"{sessions:,} sessions that have fallen silent are ended, each at its last sign of life. The reaper is an "
            "actor in this process, on a database of its own. Starting the sessions for each round is not counted."
        ),
        labels=("silent sessions",),
        columns=(
            Column(name="p50", title="seconds", digits=2),
            Column(name="per_second", title="sessions/s"),
        ),
        cases=cases,
    )
