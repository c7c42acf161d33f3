"""`pulsekeeper seed`: a month of made-up sessions, in a database that has none of its own."""

from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from tests.support.service import run_command

_COUNTS = inline(
    "select (select count(*) from installations) as installations, (select count(*) from sessions),"
    " (select count(*) from events)"
)
_FIGURES = inline(
    "select (select count(*) from sessions where stale_since is not null) as stale,"
    " (select sum(events) from event_rollups) as counted, (select count(*) from events) as events,"
    " (select max(peak) from presence_rollups) as present"
)
_FEW = ("--days", "3", "--installations", "5", "--until", "2026-03-31")


async def test_it_says_what_it_has_made_up(database_url: str, database: Database) -> None:
    seeded = run_command(database_url, "seed", *_FEW)

    [row] = await database.fetch(_COUNTS)
    assert (seeded.returncode, seeded.stderr) == (0, "")
    assert seeded.stdout == "{} installations, {} sessions and {} events were made up.\n".format(*row)
    assert row["installations"] == 5


async def test_the_figures_are_worked_out_at_once(database_url: str, database: Database) -> None:
    assert run_command(database_url, "seed", *_FEW).returncode == 0

    [row] = await database.fetch(_FIGURES)
    assert row["stale"] == 0
    assert row["counted"] == row["events"]
    assert row["present"] > 0


def test_what_is_there_is_not_mixed_with_what_is_made_up_unless_it_is_asked_for(database_url: str) -> None:
    run_command(database_url, "seed", *_FEW)
    refused = run_command(database_url, "seed", *_FEW, "--seed", "2")
    forced = run_command(database_url, "seed", *_FEW, "--seed", "2", "--force")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "pulsekeeper: there are sessions already; --force adds made-up ones to them\n"
    assert (forced.returncode, forced.stderr) == (0, "")


def test_the_same_history_is_not_made_up_twice(database_url: str) -> None:
    run_command(database_url, "seed", *_FEW)
    again = run_command(database_url, "seed", *_FEW, "--force")

    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == "pulsekeeper: this very history is there already; another seed makes another one\n"


def test_a_day_that_is_still_to_come_is_refused(database_url: str) -> None:
    refused = run_command(database_url, "seed", "--until", "2999-01-01")

    assert refused.returncode == 2
    assert "this day is still to come" in refused.stderr
