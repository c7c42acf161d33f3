"""Sessions on the command line: what operators see, and files that are whole whatever happens."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from pulsekeeper.postgres.database import Database
from tests.support.service import run_command, starting_service
from tests.support.sessions_archive import NOON, SESSION, add_events, add_many, add_session, encoded

DAY = timedelta(days=1)
MANY = 50_000
"""Events of which the export takes long enough to be killed in the middle."""


@pytest.fixture
def noon() -> datetime:
    """Two days ago: that day is over, whatever time it is now."""
    return datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - 2 * DAY


def file_of(day: datetime, ending: str = "ndjson") -> str:
    return f"events-{day:%Y-%m-%d}.{ending}"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_session_is_printed_for_people(database: Database, database_url: str) -> None:
    """What a client sent does not get to move the cursor."""
    await add_session(database, app_version="1.2\x9b2J", ended_at=NOON, end_reason="explicit")
    await add_events(database, {"seq": 7, "props": encoded({"story": "é\x9b2J"}), "is_cut": True}, {})

    printed = run_command(database_url, "sessions", "show", str(SESSION))

    assert (printed.returncode, printed.stderr) == (0, "")
    noon = "2026-11-21 12:00:00.000Z"
    assert printed.stdout.splitlines() == [
        f"session {SESSION} of installation {UUID(int=2)}",
        f"started {noon}, last seen {noon}, ended {noon} (explicit)",
        "version 1.2\\u009b2J, platform unknown, zone unknown",
        '2026-11-21 12:00:00.000Z      7 story_opened {"story":"é\\u009b2J"} (cut)',
        "2026-11-21 12:00:01.000Z      - story_opened",
    ]


async def test_a_session_is_printed_for_programs(database: Database, database_url: str) -> None:
    """The session, and then its events, of which there may be more than on a page."""
    await add_session(database, ended_at=NOON, end_reason="explicit")
    made = await add_events(database, *({"seq": number} for number in range(1001)))

    printed = run_command(database_url, "sessions", "show", "--json", str(SESSION))

    session, *events = [json.loads(line) for line in printed.stdout.splitlines()]
    assert (session["sessionId"], session["endReason"]) == (str(SESSION), "explicit")
    assert [event["id"] for event in events] == list(map(str, made))


async def test_a_session_that_never_was_is_a_sentence(database_url: str) -> None:
    refused = run_command(database_url, "sessions", "show", str(SESSION))

    assert (refused.returncode, refused.stderr) == (1, f"pulsekeeper: There is no session {SESSION}.\n")


async def test_a_folder_fills_up_with_what_is_missing(
    database: Database, database_url: str, noon: datetime, tmp_path: Path
) -> None:
    await add_session(database, started_at=noon - DAY)
    await add_events(database, {"received_at": noon}, {"received_at": noon + 2 * DAY})
    first = tmp_path / file_of(noon - DAY, "csv")
    command = ("sessions", "export", "--to", str(tmp_path), "--format", "csv", "--to-date", f"{noon:%Y-%m-%d}")

    partly = run_command(database_url, *command, "--from", f"{noon:%Y-%m-%d}")
    whole = run_command(database_url, *command)
    again = run_command(database_url, *command)

    assert partly.stdout.splitlines() == [
        f"{tmp_path / file_of(noon, 'csv')}: 1 events",
        "1 files written with 1 events",
    ]
    assert whole.stdout.splitlines() == [f"{first}: 0 events", "1 files written with 0 events"]
    assert again.stdout.splitlines() == ["nothing is due: no day that is over is without its file"]
    assert {partly.returncode, whole.returncode, again.returncode} == {0}
    assert first.read_text().startswith("receivedAt,")


async def test_a_run_that_is_killed_leaves_no_half_file(
    database: Database, database_url: str, noon: datetime, tmp_path: Path
) -> None:
    """With `kill -9`, in the middle of a file; the next run writes it whole."""
    await add_session(database, started_at=noon)
    await add_many(database, MANY, noon)
    command = ("sessions", "export", "--to", str(tmp_path), "--to-date", f"{noon:%Y-%m-%d}")
    unfinished = tmp_path / f".{file_of(noon)}.unfinished"

    with starting_service(database_url, *command) as export:
        export.wait_created(unfinished)
        export.kill()
    left = names_in(tmp_path)
    again = run_command(database_url, *command)

    assert left == [unfinished.name]
    assert again.returncode == 0, again.stderr
    assert names_in(tmp_path) == [file_of(noon)]
    assert (tmp_path / file_of(noon)).read_bytes().count(b"\n") == MANY


async def test_a_folder_that_cannot_be_written_is_a_sentence(
    database: Database, database_url: str, noon: datetime, tmp_path: Path
) -> None:
    await add_session(database, started_at=noon)
    (tmp_path / "file").write_text("in the way")
    folder = tmp_path / "file" / "events"

    refused = run_command(database_url, "sessions", "export", "--to", str(folder))

    assert (refused.returncode, refused.stderr) == (1, f"pulsekeeper: cannot write {folder}: Not a directory\n")


async def test_figures_are_worked_out_anew(database: Database, database_url: str, noon: datetime) -> None:
    await add_session(database, started_at=noon, last_seen_at=noon, ended_at=noon, end_reason="explicit")

    rebuilt = run_command(database_url, "sessions", "rebuild", "--from", f"{noon:%Y-%m-%d}")

    assert (rebuilt.returncode, rebuilt.stderr) == (0, "")
    assert rebuilt.stdout.startswith("1 sessions and ")
    assert f"since {noon:%Y-%m-%d} 00:00:00.000Z" in rebuilt.stdout
