"""How far something has come."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

Advance = Callable[[int], None]
"""Says that this many more are done."""


@contextmanager
def progress(doing: str, total: int | None) -> Iterator[Advance]:
    """A bar on a terminal, nothing elsewhere; on standard error, so that what is printed can be piped away.

    `doing` is what stands beside the bar, such as "Deciding again". Without a `total` the bar only shows that
    something is going on.
    """
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(doing, total=total)
        yield lambda done: bar.advance(task, done)
