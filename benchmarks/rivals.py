"""Ours beside what somebody might use instead, and beside the limit, in one run."""

import math
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import trio
from msgspec.structs import replace

from benchmarks import rates, servers, sites
from benchmarks.measuring import Case, Column, Experiment, Opened, Plan, Sample
from benchmarks.peers import fastapi_peer, limit, unleash
from benchmarks.peers.running import Candidate, Peer, Setting
from benchmarks.targets import FAULTS, RATE, ask_closed, closed_case

NAME = "Pulsekeeper"
PEERS = (fastapi_peer.FASTAPI, unleash.UNLEASH)
_CAMPAIGNS = 10
_FAILURES = (servers.ServerFailed, OSError, trio.TooSlowError, httpx.HTTPError)
_COLUMNS = (
    RATE,
    Column(name="times", title="ours ÷ this", digits=2),
    Column(name="of_limit", title="of the echo", digits=2),
    Column(name="p50", title="p50 ms", factor=1e3, digits=2),
    Column(name="p99", title="p99 ms", factor=1e3, digits=2),
    Column(name="server_cpu", title="server CPU ms", factor=1e3, digits=3),
    *FAULTS,
    Column(name="loader", title="loader, cores", digits=2),
)


@asynccontextmanager
async def open_stage(plan: Plan, candidates: Sequence[Candidate] = PEERS) -> AsyncIterator[Opened]:
    """Everybody at once, on one PostgreSQL. Who does not start is left out, with the last words among the facts."""
    with servers.temporary_folder() as name:
        async with servers.postgres(Path(name)) as (url, database), AsyncExitStack() as stack:
            setting = Setting(folder=Path(name), url=url, visitors=plan.visitors)
            everybody, facts = list[Peer](), database | sites.FACTS
            for candidate in (limit.ECHO, _OURS, *candidates):
                try:
                    everybody.append(await stack.enter_async_context(candidate.open(setting)))
                except _FAILURES as failure:
                    if candidate is _OURS:
                        raise
                    facts[candidate.name] = f"left out: {failure or type(failure).__name__}"
                else:
                    facts |= everybody[-1].facts
            yield Opened(experiments=[_closed(everybody, plan), _at_rates(everybody, plan)], facts=facts)


@asynccontextmanager
async def _open_ours(setting: Setting) -> AsyncIterator[Peer]:
    database = await servers.new_database(setting.url, "ours")
    async with sites.open_site(setting.folder / "node", database, _CAMPAIGNS, setting.visitors) as site:
        yield Peer(name=NAME, target=replace(site.known(), expected=b'"decisionId"'))


_OURS = Candidate(name=NAME, open=_open_ours)


def _about(plan: Plan) -> str:
    return (
        f"What a page is told about {_CAMPAIGNS} campaigns or flags, for {plan.visitors} known visitors, drawn at "
        "random. A process each, loader and PostgreSQL on the same machine. All are there all the time and take "
        "turns. Pulsekeeper and FastAPI commit the visitor's state and a row of the log to the disk, then answer; "
        "Unleash evaluates and stores nothing."
    )


def _closed(everybody: Sequence[Peer], plan: Plan) -> Experiment:
    return Experiment(
        title="ours and others",
        about=(
            f"{_about(plan)} The echo does not even look. Closed loop. `server CPU` is of a request and counts the "
            "server's process with its children, not the database. `ours ÷ this` counts good answers per second, each "
            "peer against ours just before in the same round: an error or a degraded answer, which commits nothing, "
            "is none."
        ),
        labels=("what", "connections"),
        columns=_COLUMNS,
        cases=list(_cases(everybody, plan)),
    )


def _at_rates(everybody: Sequence[Peer], plan: Plan) -> Experiment:
    """Everybody at rates that they can take. The echo has none that say anything of the others."""
    targets = {peer.name: peer.target for peer in everybody if peer.name != limit.NAME}
    return rates.experiment("ours and others at constant rates", _about(plan), targets, "rivals-latency-by-rate")


def _cases(everybody: Sequence[Peer], plan: Plan) -> Iterator[Case]:
    """Everybody is held against the echo and ours, which were measured just before in the same round."""
    for connections in plan.connections:
        ours, echo = _Yardstick(), None
        for peer in everybody:
            labels = (peer.name, str(connections))
            if peer.name == limit.NAME:
                yield closed_case(peer.target, labels, connections)
                echo = labels
            else:
                yield Case(labels=labels, measure=partial(ours.measure, peer, connections), limit=echo)


class _Yardstick:
    """How many good answers a second ours has given last, at as many connections."""

    def __init__(self) -> None:
        self._ours = math.nan

    async def measure(self, peer: Peer, connections: int, seconds: float) -> Sample:
        """Ask somebody, with how many times as much ours has done."""
        sample = await ask_closed(peer.target, connections, seconds)
        good = _good(sample)
        if peer.name == NAME:
            self._ours = good
        times = self._ours / good if good else math.inf
        return replace(sample, extra={**sample.extra, "times": times})


def _good(sample: Sample) -> float:
    """Answers a second without errors and without those that were given before anything was decided."""
    bad = sample.extra["errors"] + sample.extra["degraded"] * sample.calls
    return (sample.calls - bad) / sample.elapsed
