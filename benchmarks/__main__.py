"""`python -m benchmarks`: measures what it is asked for, prints the tables, and leaves nothing behind."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import click
import msgspec
import trio

from benchmarks import actors, decisions, plots, rivals, rules, servers, sessions_crowds, sessions_figures
from benchmarks import sessions as telemetry
from benchmarks.growth import campaigns, log, nodes, visitors
from benchmarks.measuring import Plan, Stage
from benchmarks.running import Output, run_until_signalled
from pulsekeeper import logs

SUITES: Mapping[str, Sequence[Stage]] = {
    "actors": (actors.open_stage,),
    "decisions": (rules.open_stage, decisions.open_stage),
    "sessions": (telemetry.open_stage, sessions_crowds.open_stage, sessions_figures.open_stage),
    "growth": (campaigns.open_stage, visitors.open_stage, log.open_stage, nodes.open_stage),
}
_ALL = ("actors", "decisions", "sessions")
"""What `all` measures: `growth` takes long, and is asked for by name."""


def _distinct(_context: click.Context, _parameter: click.Parameter, numbers: tuple[int, ...]) -> tuple[int, ...]:
    """A number that is given twice would be measured once and shown twice."""
    return tuple(dict.fromkeys(numbers))


_whole = partial(click.option, type=click.IntRange(min=1), show_default=True)
_several = partial(click.option, multiple=True, callback=_distinct, show_default=True)
_into = partial(click.Path, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("suite", type=click.Choice([*SUITES, "all"]), default="all")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=2.0,
    show_default=True,
    help="For each case and round.",
)
@_whole("--rounds", default=3, help="The median of them counts.")
@_whole("--visitors", default=1000, help="Known before it begins; growth goes on to 100 and 1000 times as many.")
@_several(
    "--connections",
    type=click.IntRange(min=1, max=1000),
    default=(1, 32),
    help="Of closed loops, at once; may be given several times.",
)
@_several(
    "--campaigns",
    type=click.IntRange(min=1, max=10_000),
    default=(10, 100),
    help="In force; may be given several times. The first number is measured at all connections.",
)
@_whole("--events", default=1_000_000, help="Of the figures.")
@_whole("--sessions", default=100_000, help="Open, or silent.")
@_whole("--log-rows", default=10_000_000, help="Of the large log of growth. A row takes about 1.5 KB of disk.")
@_whole("--steps", default=3, help="How many sizes of visitors and of the log growth goes through, the smallest first.")
@_several(
    "--nodes", type=click.IntRange(min=1, max=16), default=(1, 2, 4), help="Of growth; may be given several times."
)
@click.option("--peers", is_flag=True, help="Measure what others do beside ours, too; they are installed for it.")
@click.option("--json", type=_into(dir_okay=False), help="Where to save everything.")
@click.option("--plots", "pictures", type=_into(file_okay=False), help="A folder for PNG and SVG; needs matplotlib.")
def main(
    *, suite: str, peers: bool, json: Path | None, pictures: Path | None, **sizes: float | tuple[int, ...]
) -> None:
    """Measure SUITE, on real processes and a real database that are started for it and ended with it."""
    stages = [stage for name in (_ALL if suite == "all" else (suite,)) for stage in SUITES[name]]
    stages += [rivals.open_stage] * peers
    logs.configure("warning", "text")  # what some stages run in this process is not news
    try:
        output = Output(json=json, draw=plots.plotter(pictures))
    except plots.NoPlots as error:
        raise click.UsageError(str(error)) from None
    reasons: list[str] = []
    try:
        trio.run(run_until_signalled, stages, msgspec.convert(sizes, Plan), output)
    except* (servers.ServerFailed, OSError, trio.TooSlowError) as failures:
        reasons = list(_sentences(failures))
    if reasons:
        raise click.ClickException("\n".join(reasons))


def _sentences(failures: BaseExceptionGroup[BaseException]) -> Iterator[str]:
    for failure in failures.exceptions:
        if isinstance(failure, BaseExceptionGroup):
            yield from _sentences(failure)
        else:
            yield f"{type(failure).__name__}: {failure}"


if __name__ == "__main__":
    main()
