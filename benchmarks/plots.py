"""Pictures of tables as PNG and SVG. Each names the machine, because nothing that it shows holds for another."""

import itertools
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.charts import Chart, Panel
from benchmarks.measuring import Row, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

Draw = Callable[[Table, Sequence[Chart]], None]

_KINDS = ("png", "svg")
_WIDTH, _HEIGHT = 7.2, 5.4
"""Of a panel, in inches."""
_DOTS = 150
"""An inch."""
_DASHES = ("-", "--", ":", "-.")
"""One for each line of a panel where several rows are drawn; rows then differ by colour."""


class NoPlots(Exception):
    """There is nothing to draw with."""


def plotter(folder: Path | None) -> Draw:
    """Draws into a folder, which is made; without one, draws nothing. Raises `NoPlots` without matplotlib."""
    if folder is None:
        return lambda _table, _charts: None
    if find_spec("matplotlib") is None:
        raise NoPlots("plots are drawn by matplotlib, which is not installed: pip install 'pulsekeeper[benchmarks]'")
    folder.mkdir(parents=True, exist_ok=True)

    def draw(table: Table, charts: Sequence[Chart]) -> None:
        for chart in charts:
            _draw(table, chart, folder)

    return draw


def _draw(table: Table, chart: Chart, folder: Path) -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415  # takes half a second, and is not always installed

    figure = Figure(figsize=(_WIDTH * len(chart.panels), _HEIGHT), layout="constrained")
    figure.suptitle(chart.title)
    figure.supxlabel(_caption(table.facts, len(chart.panels)), fontsize="x-small", color="dimgray")
    for axes, panel in zip(figure.subplots(1, len(chart.panels), squeeze=False)[0], chart.panels, strict=True):
        _fill(axes, table, chart, panel)
    for kind in _KINDS:
        figure.savefig(folder / f"{chart.file}.{kind}", dpi=_DOTS)


def _caption(facts: Mapping[str, str], panels: int) -> str:
    """Everything that the numbers depend on, in small print."""
    lines = [f"{name}: {fact}" for name, fact in facts.items()]
    return "\n".join(wrapped for line in lines for wrapped in textwrap.wrap(line, 120 * panels))


def _fill(axes: "Axes", table: Table, chart: Chart, panel: Panel) -> None:
    for label, dashes, points in _lines(table, chart, panel):
        axes.plot(*zip(*points, strict=True), dashes, marker="o", markersize=4, label=label)
    axes.set_xlabel(chart.x.title)
    axes.set_ylabel(panel.title)
    axes.set_xscale("log" if chart.x.is_log else "linear")
    axes.set_yscale("log" if panel.is_log else "linear")
    if not chart.x.is_log:
        axes.set_xlim(left=0)
    if not panel.is_log:
        axes.set_ylim(bottom=0)
    _mark(axes.xaxis, is_log=chart.x.is_log, is_whole=True)
    _mark(axes.yaxis, is_log=panel.is_log, is_whole=False)
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend(fontsize="small")


def _mark(axis: "Axis", *, is_log: bool, is_whole: bool) -> None:
    """Numbers are written out; where powers of ten have the same distance, at 1, 2 and 5 of each."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter  # noqa: PLC0415  # as above

    if is_log:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_formatter(NullFormatter())
    elif is_whole:
        axis.set_major_locator(MaxNLocator(integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:,.10g}"))


def _lines(table: Table, chart: Chart, panel: Panel) -> Iterator[tuple[str, str, list[tuple[float, float]]]]:
    """Legend, kind of line, and its points from left to right. What never ended cannot be drawn."""
    groups = _groups(table.rows, chart.x.name)
    for who, rows in groups.items():
        for (figure, title), dashes in zip(panel.figures.items(), itertools.cycle(_DASHES), strict=False):
            points = [
                (row.medians[chart.x.name], row.medians[figure] * panel.factor)
                for row in rows
                if isfinite(row.medians.get(figure, float("nan")))
            ]
            if points:
                alone = len(groups) == 1
                yield title if alone else f"{who}, {title}", "-" if alone else dashes, sorted(points)


def _groups(rows: Sequence[Row], x: str) -> dict[str, list[Row]]:
    """Rows that have a place on the axis, by their first labels."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if x in row.medians:
            groups.setdefault(row.labels[0] if len(row.labels) > 1 else "", []).append(row)
    return groups
