"""Latency by arrival rate: a closed loop finds what a service can do at most, open loops then ask for shares of it."""

from collections.abc import Iterator, Mapping
from functools import partial

from benchmarks.charts import Axis, Chart, Panel
from benchmarks.measuring import Case, Column, Experiment, Sample
from benchmarks.targets import EFFORTS, FAULTS, LATENCIES, RATE, Target, ask_at_rate, ask_closed

SHARES = (0.25, 0.5, 0.75, 0.9)
"""Of the closed loop's maximum."""
CONNECTIONS = 32
"""Of the closed loop."""
ABOUT = (
    "The closed loop says what can be done at most; the others are open loops at constant rates, shares of the maximum "
    "of the same round. Their latencies count from the moment at which a request was due, so they are free of "
    "coordinated omission: who comes while the server stalls is seen to wait. Dropped requests found a second's worth "
    "of others waiting; they and the unanswered count as waiting for ever (inf). `late` is how long after a request "
    "was due the loader noticed: where that is near the latencies, the loader is what was measured."
)

_COLUMNS = (
    Column(name="offered", title="offered/s"),
    RATE,
    *LATENCIES,
    *FAULTS,
    Column(name="dropped", title="dropped"),
    Column(name="unanswered", title="unanswered"),
    Column(name="late_p99", title="late p99 ms", factor=1e3, digits=2),
    *EFFORTS,
)


_TITLES = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9", "max": "max"}


def experiment(title: str, about: str, targets: Mapping[str, Target], file: str) -> Experiment:
    """One table for all targets by their names, and a chart of it in `file`."""
    return Experiment(
        title=title,
        about=f"{about} {ABOUT}",
        labels=("what", "rate"),
        columns=_COLUMNS,
        cases=[case for name, target in targets.items() for case in _cases(name, target)],
        charts=[
            Chart(
                file=file,
                title=f"{title}: how long an answer takes, by how many are asked for",
                x=Axis(name="offered", title="requests due a second", is_log=len(targets) > 1),
                panels=_panels(len(targets)),
            )
        ],
    )


def _panels(targets: int) -> tuple[Panel, ...]:
    """All percentiles of one target in one picture; where there are several, a picture for each percentile that says
    most.
    """
    since = "since the request was due, ms"
    if targets == 1:
        return (Panel(title=f"latency {since}", figures=_TITLES, factor=1e3, is_log=True),)
    return tuple(
        Panel(title=f"{_TITLES[name]} {since}", figures={name: _TITLES[name]}, factor=1e3, is_log=True)
        for name in ("p50", "p99", "p999")
    )


class _Maximum:
    """What a target answers in a closed loop, requests a second: that of the present round."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._per_second = 0.0

    async def find(self, seconds: float) -> Sample:
        """Ask as fast as it answers."""
        sample = await ask_closed(self._target, CONNECTIONS, seconds)
        self._per_second = sample.calls / sample.elapsed
        return sample

    async def ask_for(self, share: float, seconds: float) -> Sample:
        """Ask for a share of what was found before."""
        return await ask_at_rate(self._target, max(share * self._per_second, 1.0), seconds)


def _cases(name: str, target: Target) -> Iterator[Case]:
    maximum = _Maximum(target)
    yield Case(labels=(name, f"closed loop, {CONNECTIONS} connections"), measure=maximum.find)
    for share in SHARES:
        yield Case(labels=(name, f"{share:g} of its maximum"), measure=partial(maximum.ask_for, share))
