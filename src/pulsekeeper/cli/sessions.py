"""Sessions and their events: look at one, take all out as files, work the figures out anew."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args
from uuid import UUID

import click
import msgspec
from rich.console import Console

from pulsekeeper.cli.options import configured, with_database
from pulsekeeper.cli.progress import Advance, progress
from pulsekeeper.clock import utc_now
from pulsekeeper.config import Config, Loaded
from pulsekeeper.postgres.database import Database
from pulsekeeper.sessions.archive.archive_store import ArchiveStore
from pulsekeeper.sessions.archive.daily_files import DailyFiles
from pulsekeeper.sessions.archive.periods import Format
from pulsekeeper.sessions.archive.timeline import LARGEST_PAGE, Session, TimelineEvent, as_of
from pulsekeeper.sessions.usage.rebuilding import Rebuilt, rebuild

_DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def sessions() -> None:
    """Who is using it: one session, all events as files, and the figures worked out anew."""


@sessions.command("show")
@click.argument("session_id", type=click.UUID)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: the session, then each of its events.")
@configured
def show_session(loaded: Loaded[Config], session_id: UUID, *, as_json: bool) -> None:
    """Print a session's timeline."""

    async def run(database: Database) -> None:
        store = ArchiveStore(database)
        session = await store.session(session_id)
        _print_session(as_of(session, loaded.config.sessions, utc_now()), as_json=as_json)
        async for event in _events(store, session):
            click.echo(msgspec.json.encode(event) if as_json else _line(event))

    with_database(loaded, run)


@sessions.command("export")
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True, help="Folder; made if need be.")
@click.option("--format", "file_format", type=click.Choice(get_args(Format)), default="ndjson", show_default=True)
@click.option("--from", "first", type=_DAY, help="The first day; all days that are stored unless given.")
@click.option("--to-date", "last", type=_DAY, help="The last day, which is written as well.")
@configured
def export_events(
    loaded: Loaded[Config], folder: Path, file_format: Format, first: datetime | None, last: datetime | None
) -> None:
    """Write the events of each day, by their receipt in UTC, as a file; days that have one already are passed over.

    Only days that are over are written, so that a file never changes. What is erased later stays in the files.
    """

    async def run(database: Database) -> None:
        files = DailyFiles(ArchiveStore(database), folder, file_format)
        days = await files.missing(_date(first), _date(last), utc_now())
        if days:
            await _write(files, days)
        else:
            click.echo("nothing is due: no day that is over is without its file")

    with_database(loaded, run)


@sessions.command("rebuild")
@click.option("--from", "since", type=_DAY, required=True, help="The first day, in UTC.")
@configured
def rebuild_figures(loaded: Loaded[Config], since: datetime) -> None:
    """Work the figures out anew from raw events, while the service runs."""

    async def run(database: Database) -> Rebuilt:
        with _Counting("Working out sessions") as counting:
            begin = since.replace(tzinfo=UTC)
            return await rebuild(database, loaded.config.sessions, begin, utc_now(), counting.reach)

    done = with_database(loaded, run)
    click.echo(f"{done.sessions} sessions and {done.quarters} quarters of an hour since {_time(done.since)}")


class _Counting(ExitStack):
    """A bar whose length is known only when the work has begun."""

    def __init__(self, doing: str) -> None:
        super().__init__()
        self._doing = doing
        self._advance: Advance | None = None
        self._done = 0

    async def reach(self, done: int, total: int) -> None:
        """So many are done of so many."""
        if self._advance is None:
            self._advance = self.enter_context(progress(self._doing, total))
        self._advance(done - self._done)
        self._done = done


async def _write(files: DailyFiles, days: list[date]) -> None:
    """A bar on a terminal, elsewhere a line for each file."""
    talks = not Console(stderr=True).is_terminal
    total = 0
    with progress("Exporting days", len(days)) as advance:

        def written(path: Path, count: int) -> None:
            nonlocal total
            total += count
            advance(1)
            if talks:
                click.echo(f"{path}: {count} events")

        await files.write(days, written)
    click.echo(f"{len(days)} files written with {total} events")


async def _events(store: ArchiveStore, session: Session) -> AsyncIterator[TimelineEvent]:
    after: UUID | None = None
    while page := await store.events(session, after, LARGEST_PAGE):
        for event in page:
            yield event
        after = page[-1].id


def _print_session(session: Session, *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(session))
        return
    ended = "open" if session.ended_at is None else f"ended {_time(session.ended_at)} ({session.end_reason})"
    click.echo(f"session {session.session_id} of installation {session.installation_id}")
    click.echo(f"started {_time(session.started_at)}, last seen {_time(session.last_seen_at)}, {ended}")
    known = {"version": session.app_version, "platform": session.platform, "zone": session.timezone}
    click.echo(_printable(", ".join(f"{name} {value or 'unknown'}" for name, value in known.items())))


def _line(event: TimelineEvent) -> str:
    number = "-" if event.seq is None else str(event.seq)
    props = "" if event.props is None else bytes(event.props).decode()
    return _printable(f"{_time(event.at)} {number:>6} {event.name} {props}{' (cut)' * event.is_cut}".rstrip())


def _time(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")


def _printable(text: str) -> str:
    """What a client sent must not move the cursor of an operator's terminal."""
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)


def _date(moment: datetime | None) -> date | None:
    return None if moment is None else moment.replace(tzinfo=UTC).date()


COMMANDS = (sessions,)
