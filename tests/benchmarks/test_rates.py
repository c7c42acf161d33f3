"""Latency by arrival rate, of a small server instead of a real one."""

import itertools

import pytest

from benchmarks import rates
from benchmarks.measuring import Plan, run
from benchmarks.targets import Target
from tests.benchmarks.small_server import always, server

_PLAN = Plan(
    seconds=0.1,
    rounds=1,
    visitors=1,
    connections=(1,),
    campaigns=(1,),
    events=1,
    sessions=1,
    log_rows=1,
    steps=1,
    nodes=(1,),
)


async def test_the_rates_are_shares_of_what_the_closed_loop_has_found() -> None:
    with server(always()) as address:
        request = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
        target = Target(addresses=[address], requests=itertools.repeat(request), cpu=lambda: 0.0)
        experiment = rates.experiment("rates", "A small server.", {"ours": target}, "by-rate")
        table = await run(experiment, _PLAN, {"machine": "any"}, lambda _step: None)

    found, *shares = table.rows
    offered = [row.medians["offered"] / found.medians["per_second"] for row in shares]
    assert offered == pytest.approx([0.25, 0.5, 0.75, 0.9])
    assert all(row.medians["errors"] == 0 for row in table.rows)
    [chart] = experiment.charts
    assert (chart.file, len(chart.panels)) == ("by-rate", 1)


async def test_several_are_drawn_side_by_side_for_each_percentile() -> None:
    target = Target(addresses=[("127.0.0.1", 1)], requests=iter([]), cpu=lambda: 0.0)
    [chart] = rates.experiment("rates", "Nobody.", {"ours": target, "theirs": target}, "by-rate").charts

    assert [list(panel.figures) for panel in chart.panels] == [["p50"], ["p99"], ["p999"]]
    assert chart.x.is_log
