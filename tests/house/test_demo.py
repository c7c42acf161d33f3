"""`pulsekeeper demo`: what it prints is true, Ctrl-C ends it in order, and it can be started again."""

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from pulsekeeper.postgres.server import Server
from tests.support.postgres import fast_folder
from tests.support.service import ADMIN_KEY, run_command, starting_service


class Run(msgspec.Struct, frozen=True):
    """One demonstration, from its start to Ctrl-C."""

    printed: str
    somebody_new: dict[str, Any]
    somebody_back: dict[str, Any]
    metrics: dict[str, Any]
    ingested: dict[str, Any]
    """What is said about an event, with the token of the session that was started before."""
    why: str
    """What the printed command says about the second answer."""
    exit_code: int


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """The folder of the demonstration's database."""
    with fast_folder() as folder:
        yield folder / "data"
        server = Server(folder / "data" / "postgres")
        if server.pid():  # a demonstration that failed
            server.stop()


@pytest.fixture(scope="module")
def first_run(data: Path) -> Run:
    """On a folder that is not there yet."""
    return follow_the_demo(data)


def follow_the_demo(data: Path) -> Run:
    """Do what it says, line by line."""
    with starting_service("", "demo", "--data", str(data)) as service:
        service.wait_ready()
        printed = service.wait_printed("Ctrl-C ends the demo.")
        decide_new, decide_back, ask_metrics, start, ingest = _lines(printed, "curl ")
        new, back, metrics, started = (_run_curl(each) for each in (decide_new, decide_back, ask_metrics, start))
        ingested = _run_curl(ingest.replace("TOKEN", started["token"]))
        why = _run_why(_lines(printed, "pulsekeeper why ")[0], back["decisionId"])
        service.interrupt()
        return Run(printed, new, back, metrics, ingested, why, service.exit_code())


def _lines(printed: str, beginning: str) -> list[str]:
    return [line.strip() for line in printed.splitlines() if line.strip().startswith(beginning)]


def _run_curl(line: str) -> dict[str, Any]:
    """That very line; where there is no curl, what it would do."""
    if shutil.which("curl"):
        answered = subprocess.run(["sh", "-c", line], capture_output=True, check=True, timeout=30)
        return dict(json.loads(answered.stdout))
    _, _, url, *options = shlex.split(line)
    given = [*zip(options[::2], options[1::2], strict=True)]
    headers = dict(value.split(": ", 1) for option, value in given if option == "-H")
    body = next((value for option, value in given if option == "-d"), None)
    return dict(httpx.request("GET" if body is None else "POST", url, headers=headers, content=body).json())


def _run_why(line: str, decision_id: str) -> str:
    words = shlex.split(line.replace("DECISION_ID", decision_id))
    asked = run_command("", *words[1:])
    assert asked.returncode == 0, asked.stderr
    return asked.stdout


def test_it_tells_where_it_is_and_with_which_key(first_run: Run) -> None:
    assert "Pulsekeeper is ready on http://127.0.0.1:" in first_run.printed
    assert f"The admin key of this run is {ADMIN_KEY}\n" in first_run.printed


def test_somebody_new_is_shown_nothing(first_run: Run) -> None:
    assert first_run.somebody_new["decisions"] == []
    assert "degraded" not in first_run.somebody_new


def test_somebody_who_was_away_is_welcomed_back(first_run: Run) -> None:
    [welcome] = first_run.somebody_back["decisions"]

    assert (welcome["action"], welcome["campaignId"]) == ("SHOW_SNACKBAR", "welcome-back")
    assert welcome["reason"] == ["returning_after_30_days"]


def test_the_log_says_why(first_run: Run) -> None:
    row = json.loads(first_run.why)

    assert row["reply"] == first_run.somebody_back
    assert row["reasons"]["welcome-back"] == "returning_after_30_days"


def test_a_month_of_sessions_is_made_up(first_run: Run) -> None:
    assert "Making up 30 days of sessions ..." in first_run.printed
    assert len(first_run.metrics["buckets"]) == 30
    assert first_run.metrics["totals"]["sessionsStarted"] > 1000
    assert first_run.metrics["totals"]["storySeconds"] > 0


def test_a_session_is_started_and_told_of_an_event(first_run: Run) -> None:
    assert first_run.ingested == {"accepted": 1, "duplicates": 0, "rejected": []}


def test_ctrl_c_ends_it_in_order_and_its_database_last(first_run: Run, data: Path) -> None:
    """Had the terminal reached the server, or had it been stopped too early, it would have cut off connections."""
    said = "".join(log.read_text() for log in (data / "postgres" / "log").iterdir())

    assert first_run.exit_code == 0
    assert Server(data / "postgres").pid() is None
    assert "database system is shut down" in said
    assert "FATAL" not in said


def test_it_can_be_started_again_on_the_same_data(first_run: Run, data: Path) -> None:
    second_run = follow_the_demo(data)

    assert "Making up" not in second_run.printed
    assert second_run.somebody_new["decisions"] == []
    assert second_run.somebody_back["decisions"] == first_run.somebody_back["decisions"]
    assert second_run.exit_code == 0
