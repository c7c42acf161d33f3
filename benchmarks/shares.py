"""Where the time of a decision over HTTP goes: the whole, and beside it each of its parts alone."""

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from statistics import median

from msgspec.structs import replace

from benchmarks import rehearsals, sites
from benchmarks.loader import closed_loop
from benchmarks.measuring import Case, Column, Experiment, Numbers, Sample
from benchmarks.rehearsals import Timing
from benchmarks.sites import Site

_SLICES = 4
"""How often the whole and its parts take turns within a round: what else the machine does should meet all of them."""
_TITLES = {"rules": "rules", "database": "database", "http": "HTTP", "rest": "rest"}


def experiment(opened: Sequence[Site]) -> Experiment:
    """One row for each site and kind of visitor."""
    return Experiment(
        title="where the time of a decide goes",
        about=(
            "One connection at a time, so nobody waits for anybody: under load, waiting for the batch before and for "
            "the node's core comes on top, and a batch shares its commit. `whole` is a decide as the loader sees it; "
            "each part is measured alone, in turn with the whole; all are medians, so they need not add up exactly. "
            "`HTTP` is /healthz of the same node. `rules` and `database` come from decisions that the loader's process "
            "makes with the node's rule book, in the node's database, for other visitors: `rules` is take_turn (the "
            "table of pure decisions tells the rules from the encoding), `database` is the commit, and before it "
            "reading the row of an unknown visitor. `rest` is the whole without the parts: decoding the request, "
            "limits, the decider's mailbox, metrics, and all errors of this method, so it may be below 0."
        ),
        labels=("campaigns", "visitor"),
        columns=(
            Column(name="p50", title="whole ms", factor=1e3, digits=2),
            *(Column(name=name, title=f"{title} ms", factor=1e3, digits=2) for name, title in _TITLES.items()),
            *(Column(name=f"{name}_share", title=f"{title} %", factor=100) for name, title in _TITLES.items()),
        ),
        cases=[case for site in opened for case in _cases(site)],
    )


def _cases(site: Site) -> Iterator[Case]:
    for who, requests in (("known", site.regulars()), ("unknown", site.strangers)):
        measure = partial(_measure, site, requests, is_known=who == "known")
        yield Case(labels=(str(site.campaigns), who), measure=measure)


async def _measure(site: Site, requests: Iterator[bytes], seconds: float, *, is_known: bool) -> Sample:
    """Half of the time for the whole, a quarter for HTTP alone, and a quarter for the other parts."""
    ask = partial(closed_loop, site.server.address, connections=1)
    once = seconds / _SLICES
    whole, http, timings = list[Sample](), list[Sample](), list[Timing]()
    async with rehearsals.open_rehearsal(site.url) as rehearsal:
        visitors = await rehearsals.regulars(rehearsal) if is_known else rehearsals.strangers()
        for _ in range(_SLICES):
            whole.append(await ask(requests, seconds=once / 2))
            http.append(await ask(itertools.repeat(sites.HEALTHZ), seconds=once / 4))
            timings += await rehearsal.decide_for(visitors, once / 4)
    together = _together(whole)
    parts = {
        "rules": median(each.turn for each in timings),
        "database": median(each.database for each in timings),
        "http": median(_together(http).latencies),
    }
    return replace(together, extra={**together.extra, **_shared(median(together.latencies), parts)})


def _together(samples: Sequence[Sample]) -> Sample:
    """One sample of several, with their errors."""
    return Sample(
        calls=sum(each.calls for each in samples),
        elapsed=sum(each.elapsed for each in samples),
        latencies=[latency for each in samples for latency in each.latencies],
        extra={"errors": sum(each.extra["errors"] for each in samples)},
    )


def _shared(whole: float, parts: Numbers) -> Numbers:
    """The parts in seconds, what they leave of the whole, and the share of each."""
    everything = {**parts, "rest": whole - sum(parts.values())}
    return everything | {f"{name}_share": seconds / whole for name, seconds in everything.items()}
