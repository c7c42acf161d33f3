"""A whole run: stages are opened one after the other, their tables printed, saved and drawn as they come."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGINT, SIGTERM

import trio
from msgspec import Struct

from benchmarks import plots, report
from benchmarks.measuring import Experiment, Plan, Stage, Table, run

_INTERRUPTED = 130


class Output(Struct, frozen=True, kw_only=True):
    """Where results go, besides to standard output."""

    json: Path | None
    """A file for everything, with every single round."""
    draw: plots.Draw


async def run_until_signalled(stages: Sequence[Stage], plan: Plan, output: Output) -> None:
    """Whatever was started is ended in order, also after Ctrl-C or SIGTERM."""
    with trio.CancelScope() as everything:
        trio.lowlevel.spawn_system_task(_heed_signals, everything)
        await _run(stages, plan, output)
    if everything.cancelled_caught:
        sys.exit(_INTERRUPTED)


async def _heed_signals(everything: trio.CancelScope) -> None:
    with trio.open_signal_receiver(SIGINT, SIGTERM) as signals:
        async for _ in signals:
            everything.cancel()


async def _run(stages: Sequence[Stage], plan: Plan, output: Output) -> None:
    facts = {"command": report.command_line(), **report.describe_machine(), "load before": report.load()}
    tables: list[Table] = []
    for open_stage in stages:
        async with open_stage(plan) as opened:
            for experiment in opened.experiments:
                tables.append(await _measure(experiment, plan, {**facts, **opened.facts}, output))
                if output.json is not None:  # after each, so that an interrupted run leaves what it has
                    report.save(report.Report(command=report.command_line(), plan=plan, tables=tables), output.json)


async def _measure(experiment: Experiment, plan: Plan, facts: Mapping[str, str], output: Output) -> Table:
    steps = len(experiment.cases) * (plan.rounds + 1)
    with report.progress(experiment.title, steps) as say:
        table = await run(experiment, plan, facts, say)
    report.show_table(table)
    output.draw(table, experiment.charts)
    return table
