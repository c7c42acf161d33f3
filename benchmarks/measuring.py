"""What is measured, and how: cases that take turns for several rounds, each beside the limit it is held against."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from statistics import median
from time import perf_counter

from msgspec import Struct

Numbers = dict[str, float]
"""Figures by name. Times are in seconds, shares between 0 and 1."""
Labels = tuple[str, ...]


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
            "p50": percentile(ordered, 50),
            "p95": percentile(ordered, 95),
            "p99": percentile(ordered, 99),
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
    rounds: Sequence[Numbers]


class Table(Struct, frozen=True, kw_only=True):
    """The result of an experiment."""

    title: str
    about: str
    labels: Labels
    columns: tuple[Column, ...]
    rows: Sequence[Row]


async def run(experiment: Experiment, plan: Plan, say: Callable[[str], None]) -> Table:
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
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]


def _beside_limit(case: Case, numbers: Numbers, taken: Mapping[Labels, Numbers]) -> Numbers:
    if case.limit is None:
        return numbers
    return {**numbers, "of_limit": numbers["per_second"] / taken[case.limit]["per_second"]}


def _row(labels: Labels, rounds: Sequence[Numbers]) -> Row:
    medians = {name: median(numbers[name] for numbers in rounds) for name in rounds[0]}
    return Row(labels=labels, medians=medians, rounds=rounds)
