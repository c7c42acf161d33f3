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
    *("--events", "2000", "--sessions", "50", "--campaigns", "1"),
    *("--log-rows", "30000", "--steps", "1", "--nodes", "1", "--nodes", "2"),
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the benchmarks put everything that they need for a while."""
    with fast_folder() as folder:
        yield folder


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks", *arguments, *_TINY]


def run(folder: Path, results: Path, *arguments: str) -> tuple[Any, str]:
    """The JSON and the printed report of a suite, which leaves nothing else behind."""
    done = subprocess.run(
        command(*arguments, "--json", str(results / "report.json")),
        cwd=_ROOT,
        env=os.environ | {"TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert left_behind(folder) == []
    return msgspec.json.decode((results / "report.json").read_bytes()), done.stdout


def rows(report: Any) -> dict[str, list[list[str]]]:
    return {table["title"]: [row["labels"] for row in table["rows"]] for table in report["tables"]}


def left_behind(folder: Path) -> list[object]:
    """Files, and processes that were started with a path in the folder."""
    processes = [
        each for each in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(each.info["cmdline"] or ())
    ]
    return [*folder.iterdir(), *processes]


def check_whole(report: Any, printed: str) -> None:
    """Every row is printed and without an error, and every table says what it depends on."""
    for table in report["tables"]:
        assert table["title"] in printed
        assert {"command", "machine", "versions", "commit"} <= table["facts"].keys()
        assert all(f"| {row['labels'][0]} " in printed for row in table["rows"])
        assert all(row["medians"].get("errors", 0) == 0 for row in table["rows"])
    assert "fsync on" in report["tables"][-1]["facts"]["PostgreSQL"]
    assert printed.count("cores, ") >= len(report["tables"])


def test_every_row_is_measured_and_printed_and_nothing_is_left_behind(folder: Path, tmp_path: Path) -> None:
    report, printed = run(folder, tmp_path, "all")

    found = rows(report)
    assert {title: len(labels) for title, labels in found.items()} == {
        "actors": 6,
        "decisions, pure": 6,
        "decisions over HTTP": 6,
        "decisions at constant rates": 5,
        "where the time of a decide goes": 2,
        "events over HTTP": 6,
        "signs of life over HTTP": 6,
        "events by the embedded client": 2,
        "memory of a node": 2,
        "a sweep of the reaper": 1,
        "figures of a month": 4,
    }
    assert found["decisions over HTTP"] == [
        *(["/healthz", "", "1"], ["known visitors", "1", "1"], ["unknown visitors", "1", "1"]),
        *(["/healthz", "", "3"], ["known visitors", "1", "3"], ["unknown visitors", "1", "3"]),
    ]
    assert found["decisions at constant rates"] == [
        ["known visitors", rate]
        for rate in (
            "closed loop, 32 connections",
            *(f"{share} of its maximum" for share in (0.25, 0.5, 0.75, 0.9)),
        )
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
    check_whole(report, printed)
    [shared] = [table for table in report["tables"] if table["title"] == "where the time of a decide goes"]
    for row in shared["rows"]:
        shares = [row["medians"][f"{part}_share"] for part in ("rules", "database", "http", "rest")]
        assert sum(shares) == pytest.approx(1)


def test_growth_is_measured_and_drawn_and_loses_no_update(folder: Path, tmp_path: Path) -> None:
    report, printed = run(folder, tmp_path, "growth", "--plots", str(tmp_path))

    assert rows(report) == {
        "decide, by campaigns in force": [["1"]],
        "decide, by known visitors": [["10"]],
        "decide, by rows of the log": [["300"]],
        "decide, by nodes": [["1"], ["2"]],
    }
    check_whole(report, printed)
    for row in report["tables"][-1]["rows"]:
        assert row["medians"]["lost"] == 0
        assert row["medians"]["counted"] == row["medians"]["logged"] >= row["medians"]["kept"]
    what = ("campaigns", "log", "nodes", "visitors")
    pictures = {file.name for file in tmp_path.iterdir() if file.suffix in {".png", ".svg"}}
    assert pictures == {f"growth-{each}.{kind}" for each in what for kind in ("png", "svg")}


def test_what_was_started_is_ended_when_a_run_is_interrupted(folder: Path) -> None:
    running = subprocess.Popen(
        command("decisions"),
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
