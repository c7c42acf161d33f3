"""A folder that fills up day by day."""

import fcntl
import os
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import trio

from pulsekeeper import errors
from pulsekeeper.postgres.database import Database
from pulsekeeper.sessions.archive import daily_files, lake
from pulsekeeper.sessions.archive.archive_store import ArchiveStore
from pulsekeeper.sessions.archive.daily_files import DailyFiles
from pulsekeeper.sessions.archive.periods import Format
from tests.support.sessions_archive import NOON, add_events, add_session

DAY = timedelta(days=1)
TODAY = NOON + 2 * DAY
DAYS = [date(2026, 11, 21), date(2026, 11, 22)]


@pytest.fixture
async def filled(database: Database) -> Database:
    """With a session on the first day, two events on that, none on the second, and one on the third, which is today."""
    await add_session(database)
    await add_events(database, {}, {}, {"received_at": TODAY, "name": "today"})
    return database


def files(database: Database, folder: Path, to: Format = "ndjson") -> DailyFiles:
    return DailyFiles(ArchiveStore(database), folder, to)


async def export(of: DailyFiles, now: datetime = TODAY) -> dict[str, int]:
    """The files that were written, each with the number of its events."""
    written: dict[str, int] = {}
    await of.write(await of.missing(None, None, now), lambda path, count: written.update({path.name: count}))
    return written


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_each_day_that_is_over_gets_a_file(filled: Database, tmp_path: Path) -> None:
    """Also one without events, so that it is seen to be done."""
    folder = tmp_path / "deep" / "down"

    assert await export(files(filled, folder)) == {"events-2026-11-21.ndjson": 2, "events-2026-11-22.ndjson": 0}
    assert names_in(folder) == ["events-2026-11-21.ndjson", "events-2026-11-22.ndjson"]
    assert (folder / "events-2026-11-21.ndjson").read_bytes().count(b"\n") == 2
    assert (folder / "events-2026-11-22.ndjson").read_bytes() == b""


@pytest.mark.parametrize("to", ["csv", "parquet"])
async def test_every_format_has_files_of_its_own(to: Format, filled: Database, tmp_path: Path) -> None:
    await export(files(filled, tmp_path))

    assert await export(files(filled, tmp_path, to)) == {f"events-2026-11-21.{to}": 2, f"events-2026-11-22.{to}": 0}


async def test_what_is_there_stays_and_a_new_day_is_added(filled: Database, tmp_path: Path) -> None:
    await export(files(filled, tmp_path))
    (tmp_path / "events-2026-11-21.ndjson").write_text("as it was")

    again = await export(files(filled, tmp_path))
    tomorrow = await export(files(filled, tmp_path), TODAY + DAY)

    assert (again, tomorrow) == ({}, {"events-2026-11-23.ndjson": 1})
    assert (tmp_path / "events-2026-11-21.ndjson").read_text() == "as it was"


async def test_only_days_that_are_over_and_have_sessions_are_missing(filled: Database, tmp_path: Path) -> None:
    """A file of a day of which the database knows nothing any more would look as if nothing had happened."""
    of, far = files(filled, tmp_path), 9 * DAY

    assert await of.missing(None, None, TODAY) == DAYS
    assert await of.missing((NOON - far).date(), (NOON + far).date(), TODAY) == DAYS
    assert await of.missing(DAYS[1], None, TODAY) == DAYS[1:]
    assert await of.missing(None, DAYS[0], TODAY) == DAYS[:1]
    assert await of.missing(None, None, NOON) == []


async def test_without_any_session_nothing_is_missing(database: Database, tmp_path: Path) -> None:
    assert await files(database, tmp_path).missing(None, None, TODAY) == []


async def test_a_run_that_is_cancelled_leaves_no_half_file(filled: Database, tmp_path: Path) -> None:
    with trio.CancelScope() as scope:
        await files(filled, tmp_path).write(DAYS, lambda _path, _count: scope.cancel())

    assert scope.cancelled_caught
    assert names_in(tmp_path) == ["events-2026-11-21.ndjson"]


async def test_what_a_killed_run_left_behind_is_overwritten(filled: Database, tmp_path: Path) -> None:
    (tmp_path / ".events-2026-11-21.ndjson.unfinished").write_text("half a fi")

    await export(files(filled, tmp_path))

    assert names_in(tmp_path) == ["events-2026-11-21.ndjson", "events-2026-11-22.ndjson"]
    assert (tmp_path / "events-2026-11-21.ndjson").read_bytes().count(b"\n") == 2


async def test_a_file_is_safe_before_it_has_its_name(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its name before anybody is told."""
    safe: list[str] = []
    monkeypatch.setattr(daily_files, "_make_safe", lambda path: safe.append(path.name))

    await files(filled, tmp_path).write(DAYS[:1], lambda path, _count: safe.append(f"told {path.name}"))

    name = "events-2026-11-21.ndjson"
    assert safe == [f".{name}.unfinished", tmp_path.name, f"told {name}"]


async def test_two_runs_do_not_write_the_same_folder(filled: Database, tmp_path: Path) -> None:
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    try:
        with pytest.raises(errors.Conflict, match="another export"):
            await export(files(filled, tmp_path))
    finally:
        os.close(other)

    assert len(await export(files(filled, tmp_path))) == 2


async def test_a_folder_that_cannot_be_written_is_a_sentence(filled: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(errors.Invalid, match=r"cannot write .*file: "):
        await export(files(filled, tmp_path / "file"))
    with pytest.raises(errors.Invalid, match=r"cannot write .*deep: Not a directory"):
        await export(files(filled, tmp_path / "file" / "deep"))


async def test_a_file_that_cannot_be_written_is_a_sentence(filled: Database, tmp_path: Path) -> None:
    """As on a disk that is full."""
    (tmp_path / ".events-2026-11-21.ndjson.unfinished").symlink_to("/dev/full")

    with pytest.raises(errors.Invalid, match=r"cannot write .*: No space left on device"):
        await export(files(filled, tmp_path))
    assert names_in(tmp_path) == []


async def test_without_duckdb_there_is_no_folder(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake, "find_spec", lambda _: None)

    with pytest.raises(errors.Invalid, match="pip install"):
        await export(files(filled, tmp_path / "new", "parquet"))
    assert not (tmp_path / "new").exists()


async def test_a_day_goes_from_midnight_to_midnight(database: Database, tmp_path: Path) -> None:
    midnight, moment = NOON + DAY / 2, timedelta(microseconds=1)
    await add_session(database)
    await add_events(database, {"received_at": midnight - moment}, {"received_at": midnight, "id": UUID(int=7)})

    written = await export(files(database, tmp_path))

    assert written == {"events-2026-11-21.ndjson": 1, "events-2026-11-22.ndjson": 1}
    assert str(UUID(int=7)) in (tmp_path / "events-2026-11-22.ndjson").read_text()
