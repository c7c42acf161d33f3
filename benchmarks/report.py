"""What the reader gets: tables on standard output, everything in a JSON file, and a word now and then on the way."""

import importlib.metadata
import itertools
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table as RichTable

from benchmarks.measuring import Column, Numbers, Plan, Table
from pulsekeeper import __version__

_LIBRARIES = ("trio", "hypercorn", "quart", "quart-trio", "asyncpg", "msgspec")
_PLAIN_WIDTH = 300
"""Nothing of a table in a pipe may be cut off."""
_GIBIBYTE = 2**30


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One whole run. Times in it are in seconds."""

    command: str
    plan: Plan
    tables: Sequence[Table]


def describe_machine() -> dict[str, str]:
    """What the numbers depend on, as far as it is known before anything has started."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIBIBYTE
    libraries = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)
    return {
        "machine": f"{_cpu()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, {platform.platform()}",
        "versions": f"pulsekeeper {__version__}, Python {platform.python_version()}, {libraries}",
        "commit": _commit(),
    }


def load() -> str:
    """How busy the machine is with other things, before anything has started."""
    return f"{os.getloadavg()[0]:.2f} processes that want to run, in the last minute"


def command_line() -> str:
    """How to get this report again."""
    return " ".join(["python -m benchmarks", *sys.argv[1:]])


def show_table(table: Table) -> None:
    """Print a table and what it depends on: with lines on a terminal, as Markdown elsewhere."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    print(f"\n{table.title}\n{table.about}\n")
    shown = RichTable(box=box.SIMPLE_HEAD if console.is_terminal else box.MARKDOWN)
    for label in table.labels:
        shown.add_column(label)
    for column in table.columns:
        shown.add_column(column.title, justify="right")
    for row in table.rows:
        shown.add_row(*row.labels, *(_figure(column, row.medians) for column in table.columns))
    console.print(shown)
    for name, fact in table.facts.items():
        print(f"{name}: {fact}  ")  # two spaces break a line of Markdown


def save(report: Report, path: Path) -> None:
    """Write the medians and every single round as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))


@contextmanager
def progress(title: str, steps: int) -> Iterator[Callable[[str], None]]:
    """Gives the function that is told of each step: a bar on a terminal, a line in a pipe, both on standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda step: print(f"{title}: {step}", file=sys.stderr, flush=True)
        return
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    # It draws only when something has changed: a thread that draws all the time would take part in the measurement.
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as bar:
        task, begun = bar.add_task("", total=steps), itertools.count()

        def say(step: str) -> None:
            bar.update(task, description=step, completed=next(begun), refresh=True)

        yield say


@contextmanager
def preparing(title: str, steps: int) -> Iterator[Callable[[str], None]]:
    """The same for what comes before anything is measured: a line in a pipe is enough for all of it."""
    if Console(stderr=True).is_terminal:
        with progress(title, steps) as say:
            yield say
    else:
        print(f"{title} ...", file=sys.stderr, flush=True)
        yield lambda _step: None


def _figure(column: Column, medians: Numbers) -> str:
    value = medians.get(column.name)
    return "" if value is None else f"{value * column.factor:,.{column.digits}f}"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _commit() -> str:
    here = Path(__file__).parent
    try:
        commit, changes = [
            subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=True).stdout.strip()
            for arguments in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain"])
        ]
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit} with uncommitted changes" if changes else commit
