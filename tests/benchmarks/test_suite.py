"""The benchmarks run as a user runs them, with the smallest sizes; the numbers are of no interest here."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from tests.support.postgres import fast_folder

_ROOT = Path(__file__).parents[2]
_TINY = (
    *("--seconds", "0.02", "--rounds", "1", "--visitors", "10", "--connections", "1", "--connections", "3"),
    *("--events", "2000", "--sessions", "50"),
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the benchmarks put everything that they need for a while."""
    with fast_folder() as folder:
        yield folder


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks", *arguments, *_TINY]


def rows(report: Any) -> dict[str, list[list[str]]]:
    return {table["title"]: [row["labels"] for row in table["rows"]] for table in report["tables"]}


def left_behind(folder: Path) -> list[object]:
    """Files, and processes that were started with a path in the folder."""
    processes = [
        each for each in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(each.info["cmdline"] or ())
    ]
    return [*folder.iterdir(), *processes]


def test_every_row_is_measured_and_printed_and_nothing_is_left_behind(folder: Path, tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(folder)}
    done = subprocess.run(
        command("all", "--campaigns", "2", "--campaigns", "5", "--json", str(tmp_path / "report.json")),
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    report = msgspec.json.decode((tmp_path / "report.json").read_bytes())
    found = rows(report)
    assert {title: len(labels) for title, labels in found.items()} == {
        "actors": 6,
        "decisions, pure": 8,
        "decisions over HTTP": 8,
        "where the time of a decide goes": 4,
        "events over HTTP": 6,
        "signs of life over HTTP": 6,
        "memory of a node": 2,
        "a sweep of the reaper": 1,
        "figures of a month": 4,
    }
    assert found["decisions over HTTP"] == [
        *(["/healthz", "", "1"], ["known visitors", "2", "1"], ["unknown visitors", "2", "1"]),
        *(["/healthz", "", "3"], ["known visitors", "2", "3"], ["unknown visitors", "2", "3"]),
        *(["known visitors", "5", "3"], ["unknown visitors", "5", "3"]),
    ]
    assert found["where the time of a decide goes"] == [
        [campaigns, visitor] for campaigns in ("2", "5") for visitor in ("known", "unknown")
    ]
    assert found["events over HTTP"] == [
        *(["the statements alone", "", "1"], ["ingest", "JSON", "1"]),
        *(
            ["the statements alone", "", "3"],
            ["ingest", "JSON", "3"],
            ["ingest", "gzip", "3"],
            ["ingest", "NDJSON", "3"],
        ),
    ]
    for table in report["tables"]:
        assert table["title"] in done.stdout
        assert all(f"| {row['labels'][0]} " in done.stdout for row in table["rows"])
        assert all(row["medians"].get("errors", 0) == 0 for row in table["rows"])
    [shared] = [table for table in report["tables"] if table["title"] == "where the time of a decide goes"]
    for row in shared["rows"]:
        shares = [row["medians"][f"{part}_share"] for part in ("rules", "database", "http", "rest")]
        assert sum(shares) == pytest.approx(1)
    assert "fsync on" in report["facts"]["PostgreSQL"]
    assert left_behind(folder) == []


def test_what_was_started_is_ended_when_a_run_is_interrupted(folder: Path) -> None:
    running = subprocess.Popen(
        command("decisions", "--campaigns", "2"),
        cwd=_ROOT,
        env=os.environ | {"TMPDIR": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with running:
        assert running.stderr is not None
        next(line for line in running.stderr if line.startswith("decisions over HTTP"))
        running.send_signal(signal.SIGINT)

    assert running.returncode == 130
    assert left_behind(folder) == []
