"""A bar for people, and silence for programs."""

import pytest

from pulsekeeper.cli.progress import progress


def count_to_three() -> None:
    with progress("Counting", 3) as advance:
        advance(1)
        advance(2)


def test_where_there_is_no_terminal_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    count_to_three()

    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_there_is_a_bar_on_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")

    count_to_three()

    output, bar = capsys.readouterr()
    assert output == ""
    assert "Counting" in bar
    assert "3/3" in bar
