"""What is measured, and how: cases that take turns for several rounds, each beside the limit it is held against."""

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from statistics import median
from time import perf_counter

from msgspec import Struct

from benchmarks.charts import Chart

Numbers = dict[str, float]
"""Figures by name. Times are in seconds, shares between 0 and 1."""
Labels = tuple[str, ...]
_SUMMED = frozenset({"errors", "dropped", "unanswered", "asked", "kept", "counted", "logged", "lost"})
_WORST = frozenset({"degraded", "max", "late_max"})
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p999": 99.9, "max": 100.0}
"""Figures of every sample, by the percent of its latencies that do not exceed them."""


class Plan(Struct, frozen=True, kw_only=True):
    """How thorough a run is."""

    seconds: float
    """How long each case is measured in each round."""
    rounds: int
    visitors: int
    """How many people the server knows before anything is measured."""
    connections: tuple[int, ...]
    """How many of them the loader keeps busy, a set of cases for each number."""
    campaigns: tuple[int, ...]
    """How many campaigns are in force, a server for each number."""
    events: int
    """About how many events figures are asked of."""
    sessions: int
    """How many sessions are open, or silent, at once."""
    log_rows: int
    """How many decisions are in a large log."""
    steps: int
    """How many sizes visitors and logs go through as they grow."""
    nodes: tuple[int, ...]
    """How many nodes are asked at once, a row for each number."""

    @property
    def warm_up(self) -> float:
        """Seconds that each case runs before anything counts."""
        return min(self.seconds, 1.0)


class Sample(Struct, frozen=True, kw_only=True):
    """What one case did in one round."""

    calls: int
    elapsed: float
    latencies: Sequence[float]
    extra: Mapping[str, float] = {}
    """Further figures that the case itself knows, such as its errors."""

    def numbers(self) -> Numbers:
        """The sample in figures."""
        ordered = sorted(self.latencies)
        return {
            "per_second": self.calls / self.elapsed,
            **{name: percentile(ordered, percent) for name, percent in PERCENTILES.items()},
            **self.extra,
        }


class Case(Struct, frozen=True, kw_only=True):
    """One row of a table."""

    labels: Labels
    """What tells it from the other rows, one text for each of the experiment's label columns."""
    measure: Callable[[float], Awaitable[Sample]]
    """Runs for about so many seconds."""
    limit: Labels | None = None
    """The row that shows what would be possible, before this one in the same experiment."""


class Column(Struct, frozen=True, kw_only=True):
    """One figure of a table, and how it is written."""

    name: str
    title: str
    factor: float = 1.0
    digits: int = 0


class Experiment(Struct, frozen=True, kw_only=True):
    """One table."""

    title: str
    about: str
    """What one call is, and what the limit is."""
    labels: Labels
    columns: tuple[Column, ...]
    cases: Sequence[Case]
    charts: Sequence[Chart] = ()
    """The pictures that can be drawn of it."""


class Opened(Struct, frozen=True, kw_only=True):
    """A stage whose parts are running."""

    experiments: Sequence[Experiment]
    facts: Mapping[str, str] = {}
    """What a reader has to know of these parts: versions, settings that differ from the defaults."""


Stage = Callable[[Plan], AbstractAsyncContextManager[Opened]]
"""Starts what its experiments need, and ends all of it, whatever happens."""


class Row(Struct, frozen=True, kw_only=True):
    """The result of a case."""

    labels: Labels
    medians: Numbers
    """Of the rounds; but what is counted is added up, and of shares of faults and longest times the worst stands."""
    rounds: Sequence[Numbers]


class Table(Struct, frozen=True, kw_only=True):
    """The result of an experiment."""

    title: str
    about: str
    facts: Mapping[str, str]
    """What the numbers depend on: the machine, versions, settings."""
    labels: Labels
    columns: tuple[Column, ...]
    rows: Sequence[Row]


async def run(experiment: Experiment, plan: Plan, facts: Mapping[str, str], say: Callable[[str], None]) -> Table:
    """Warm every case up, then let them take turns. `say` is told of each step before it begins."""
    for case in experiment.cases:
        say(f"warming up: {', '.join(case.labels)}")
        await case.measure(plan.warm_up)
    rounds: list[dict[Labels, Numbers]] = []
    for number in range(1, plan.rounds + 1):
        taken: dict[Labels, Numbers] = {}
        for case in experiment.cases:
            say(f"round {number} of {plan.rounds}: {', '.join(case.labels)}")
            taken[case.labels] = _beside_limit(case, (await case.measure(plan.seconds)).numbers(), taken)
        rounds.append(taken)
    rows = [_row(case.labels, [taken[case.labels] for taken in rounds]) for case in experiment.cases]
    return Table(
        title=experiment.title,
        about=experiment.about,
        facts=facts,
        labels=experiment.labels,
        columns=experiment.columns,
        rows=rows,
    )


async def repeat(operation: Callable[[], Awaitable[object]], seconds: float, *, calls: int = 1) -> Sample:
    """Do it again and again. One operation makes `calls` calls, which share its time equally."""
    times: list[float] = []
    start = now = perf_counter()
    while not times or now < start + seconds:
        await operation()
        before, now = now, perf_counter()
        times.append((now - before) / calls)
    return Sample(calls=len(times) * calls, elapsed=now - start, latencies=times)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that is not exceeded by `percent` of them (nearest rank); not a number when there are none."""
    if not ordered:
        return math.nan
    return ordered[max(math.ceil(round(len(ordered) * percent / 100, 6)) - 1, 0)]


def _beside_limit(case: Case, numbers: Numbers, taken: Mapping[Labels, Numbers]) -> Numbers:
    if case.limit is None:
        return numbers
    return {**numbers, "of_limit": numbers["per_second"] / taken[case.limit]["per_second"]}


def _row(labels: Labels, rounds: Sequence[Numbers]) -> Row:
    names = set[str]().union(*rounds)  # a round in which nothing was answered has fewer
    medians = {name: _typical(name)(numbers[name] for numbers in rounds if name in numbers) for name in sorted(names)}
    return Row(labels=labels, medians=medians, rounds=rounds)


def _typical(name: str) -> Callable[[Iterable[float]], float]:
    """What stands for all rounds. No median may hide what has gone wrong in one of them."""
    if name in _SUMMED:
        return sum
    return max if name in _WORST else median
