"""`python -m benchmarks`: measures what it is asked for, prints the tables, and leaves nothing behind."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from signal import SIGINT, SIGTERM

import click
import trio

from benchmarks import actors, decisions, report, rules, servers, sessions_crowds, sessions_figures
from benchmarks import sessions as telemetry
from benchmarks.measuring import Experiment, Plan, Stage, Table, run
from pulsekeeper import logs

SUITES: Mapping[str, Sequence[Stage]] = {
    "actors": (actors.open_stage,),
    "decisions": (rules.open_stage, decisions.open_stage),
    "sessions": (telemetry.open_stage, sessions_crowds.open_stage, sessions_figures.open_stage),
}
_ALL = "all"
_INTERRUPTED = 130


def _distinct(_context: click.Context, _parameter: click.Parameter, numbers: tuple[int, ...]) -> tuple[int, ...]:
    """A number that is given twice would be measured once and shown twice."""
    return tuple(dict.fromkeys(numbers))


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("suite", type=click.Choice([*SUITES, _ALL]), default=_ALL)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    help="For each case and round.",
)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="The median of them counts.")
@click.option("--visitors", type=click.IntRange(min=1), default=1000, show_default=True, help="Known before it begins.")
@click.option(
    "--connections",
    type=click.IntRange(min=1, max=1000),
    multiple=True,
    default=(1, 32, 128),
    show_default=True,
    callback=_distinct,
    help="At once; may be given several times.",
)
@click.option(
    "--campaigns",
    type=click.IntRange(min=1, max=10_000),
    multiple=True,
    default=(20, 200),
    show_default=True,
    callback=_distinct,
    help="In force; may be given several times. The first number is measured at all connections.",
)
@click.option("--events", type=click.IntRange(min=1), default=1_000_000, show_default=True, help="Of the figures.")
@click.option("--sessions", type=click.IntRange(min=1), default=100_000, show_default=True, help="Open, or silent.")
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Where to save everything.")
def main(
    *,
    suite: str,
    seconds: float,
    rounds: int,
    visitors: int,
    connections: tuple[int, ...],
    campaigns: tuple[int, ...],
    events: int,
    sessions: int,
    file: Path | None,
) -> None:
    """Measure SUITE, on real processes and a real database that are started for it and ended with it."""
    stages = [stage for name, stages in SUITES.items() if suite in {name, _ALL} for stage in stages]
    plan = Plan(
        seconds=seconds,
        rounds=rounds,
        visitors=visitors,
        connections=connections,
        campaigns=campaigns,
        events=events,
        sessions=sessions,
    )
    reasons: list[str] = []
    logs.configure("warning", "text")  # what some stages run in this process is not news
    try:
        trio.run(_until_signalled, stages, plan, file)
    except* (servers.ServerFailed, OSError, trio.TooSlowError) as failures:
        reasons = list(_sentences(failures))
    if reasons:
        raise click.ClickException("\n".join(reasons))


async def _until_signalled(stages: Sequence[Stage], plan: Plan, file: Path | None) -> None:
    """Whatever was started is ended in order, also after Ctrl-C or SIGTERM."""
    with trio.CancelScope() as everything:
        trio.lowlevel.spawn_system_task(_heed_signals, everything)
        await _report(stages, plan, file)
    if everything.cancelled_caught:
        sys.exit(_INTERRUPTED)


async def _heed_signals(everything: trio.CancelScope) -> None:
    with trio.open_signal_receiver(SIGINT, SIGTERM) as signals:
        async for _ in signals:
            everything.cancel()


async def _report(stages: Sequence[Stage], plan: Plan, file: Path | None) -> None:
    facts = report.describe_machine() | {"command": report.command_line()}
    report.show_facts(facts)
    tables: list[Table] = []
    for open_stage in stages:
        async with open_stage(plan) as opened:
            report.show_facts(opened.facts)
            facts |= opened.facts
            tables += [await _measure(experiment, plan) for experiment in opened.experiments]
    if file is not None:
        report.save(report.Report(command=report.command_line(), plan=plan, facts=facts, tables=tables), file)


async def _measure(experiment: Experiment, plan: Plan) -> Table:
    steps = len(experiment.cases) * (plan.rounds + 1)
    with report.progress(experiment.title, steps) as say:
        table = await run(experiment, plan, say)
    report.show_table(table)
    return table


def _sentences(failures: BaseExceptionGroup[BaseException]) -> Iterator[str]:
    for failure in failures.exceptions:
        if isinstance(failure, BaseExceptionGroup):
            yield from _sentences(failure)
        else:
            yield f"{type(failure).__name__}: {failure}"


if __name__ == "__main__":
    main()
