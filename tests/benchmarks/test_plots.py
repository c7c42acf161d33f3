"""Pictures of a table: what is drawn, and what is said where nothing can be."""

from math import inf
from pathlib import Path

import pytest

from benchmarks import plots
from benchmarks.charts import Axis, Chart, Panel
from benchmarks.measuring import Row, Table

_CHART = Chart(
    file="latency",
    title="Latency by rate",
    x=Axis(name="offered", title="arrivals a second"),
    panels=(
        Panel(title="latency, ms", figures={"p50": "p50", "p99": "p99"}, factor=1e3, is_log=True),
        Panel(title="errors", figures={"errors": "errors"}),
    ),
)


def row(who: str, **figures: float) -> Row:
    return Row(labels=(who, "some rate"), medians=figures, rounds=())


def table(*rows: Row) -> Table:
    facts = {"machine": "Abacus 3000, 2 cores", "commit": "1234567 with uncommitted changes"}
    return Table(title="a table", about="", facts=facts, labels=("what", "rate"), columns=(), rows=rows)


def test_a_chart_is_drawn_as_png_and_svg_and_names_the_machine(tmp_path: Path) -> None:
    rows = [row("ours", offered=10, p50=0.002, p99=0.01, errors=0), row("ours", offered=20, p50=0.002, p99=0.02)]
    plots.plotter(tmp_path / "new" / "folder")(table(*rows, row("theirs", offered=5, p50=0.1, p99=0.2)), [_CHART])

    assert (tmp_path / "new/folder/latency.png").read_bytes().startswith(b"\x89PNG")
    svg = (tmp_path / "new/folder/latency.svg").read_text()
    for words in ("Abacus 3000", "uncommitted", "Latency by rate", "arrivals a second", "latency, ms", "theirs, p99"):
        assert f"<!-- {words}" in svg or words in svg


def test_lines_go_from_left_to_right_and_leave_out_what_cannot_be_drawn() -> None:
    """A row without a place on the axis, and a time that never ended."""
    rows = [row("ours", offered=20, p50=inf, p99=0.4), row("ours", offered=10, p50=0.1, p99=0.2), row("ours", p50=0.1)]
    lines = list(plots._lines(table(*rows), _CHART, _CHART.panels[0]))

    assert lines == [("p50", "-", [(10, 100)]), ("p99", "-", [(10, 200), (20, 400)])]


def test_without_a_folder_nothing_is_drawn() -> None:
    plots.plotter(None)(table(), [_CHART])


def test_it_is_said_when_there_is_nothing_to_draw_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "find_spec", lambda _name: None)
    with pytest.raises(plots.NoPlots, match=r"pip install 'pulsekeeper\[benchmarks\]'"):
        plots.plotter(tmp_path)
