"""What all tables of growth have in common: a row for each size, the same load, and a chart from left to right."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from benchmarks.charts import Axis, Chart, Panel
from benchmarks.measuring import Case, Column, Experiment, Sample
from benchmarks.targets import EFFORTS, FAULTS, LATENCIES, RATE, Target, ask_closed

CONNECTIONS = 32
ABOUT = f"Closed loop, {CONNECTIONS} connections; loader, nodes and PostgreSQL on the same machine."

_RATE = Panel(title="requests a second", figures={"per_second": "requests/s"})
_LATENCY = Panel(title="latency, ms", figures={"p50": "p50", "p99": "p99", "p999": "p99.9"}, factor=1e3, is_log=True)

Ask = Callable[[float], Awaitable[Sample]]


class Size(Struct, frozen=True, kw_only=True):
    """One row: something that is so large, and how it is asked."""

    number: int
    ask: Ask
    figures: Mapping[str, float] = {}
    """What else is known of it."""


class Growing(Struct, frozen=True, kw_only=True):
    """What grows."""

    what: str
    """The head of the first column, and what the chart has from left to right."""
    title: str
    about: str
    file: str
    """Of the chart."""
    columns: tuple[Column, ...] = ()
    """Of further figures."""
    panels: tuple[Panel, ...] = ()
    """Of the same."""
    is_log: bool = True
    """Whether the chart has powers of ten at the same distance."""


def asking(target: Target) -> Ask:
    """The load that all sizes get."""
    return partial(ask_closed, target, CONNECTIONS)


def experiment(growing: Growing, sizes: Sequence[Size]) -> Experiment:
    """A row for each size, the others beside the first."""
    first = (f"{sizes[0].number:,}",)
    return Experiment(
        title=growing.title,
        about=f"{growing.about} {ABOUT} `of the first` compares requests a second with the first row's.",
        labels=(growing.what,),
        columns=(
            RATE,
            Column(name="of_limit", title="of the first", digits=2),
            *LATENCIES,
            *FAULTS,
            *growing.columns,
            *EFFORTS,
        ),
        cases=[_case(size, None if number == 0 else first) for number, size in enumerate(sizes)],
        charts=[
            Chart(
                file=growing.file,
                title=f"How fast decisions are made, by {growing.what}",
                x=Axis(name="size", title=growing.what, is_log=growing.is_log),
                panels=(_RATE, _LATENCY, *growing.panels),
            )
        ],
    )


def _case(size: Size, first: tuple[str] | None) -> Case:
    async def measure(seconds: float) -> Sample:
        sample = await size.ask(seconds)
        return replace(sample, extra={**sample.extra, **size.figures, "size": float(size.number)})

    return Case(labels=(f"{size.number:,}",), measure=measure, limit=first)
