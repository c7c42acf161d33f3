"""Durations that people can write, secrets that nobody sees."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.scalars import Duration, Secret


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80ms", timedelta(milliseconds=80)),
        ("30s", timedelta(seconds=30)),
        ("1.5s", timedelta(seconds=1.5)),
        ("10m", timedelta(minutes=10)),
        ("24h", timedelta(days=1)),
        ("180d", timedelta(days=180)),
        ("1h30m", timedelta(minutes=90)),
        ("0s", timedelta(0)),
        ("P1D", timedelta(days=1)),
        ("P2W", timedelta(weeks=2)),
        ("PT36H", timedelta(hours=36)),
        ("P1DT2H3M4.5S", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        ("36525d", timedelta(days=36525)),
    ],
)
def test_durations_are_read_as_people_and_iso_8601_write_them(text: str, expected: timedelta) -> None:
    assert Duration.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "30", "s", "-1s", "30 s", "1y", "P", "PT", "P1M", "P1Y", "p1d", "1sP1D", "P-1D", "10M", "1,5s", "∞s"]
)
def test_what_is_no_duration_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as"):
        Duration.parse(text)


@pytest.mark.parametrize("text", ["36526d", "9" * 5000 + "d", "P99999W"])
def test_a_century_is_the_longest(text: str) -> None:
    with pytest.raises(ValueError, match="at most 36525 days"):
        Duration.parse(text)


@given(st.text(max_size=20) | st.text("0123456789.msPTWDHS", max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        duration = Duration.parse(text)
    except ValueError as error:
        assert str(error).startswith("expected a duration")  # noqa: PT017  # either outcome is right
    else:
        assert timedelta(0) <= duration <= timedelta(days=36525)


@given(st.integers(0, 36525 * 86_400_000))
def test_a_written_duration_reads_as_itself(milliseconds: int) -> None:
    duration = Duration(milliseconds=milliseconds)

    assert Duration.parse(str(duration)) == duration


@pytest.mark.parametrize("text", ["80ms", "1500ms", "90s", "5m", "36h", "7d"])
def test_a_duration_is_written_in_its_largest_whole_unit(text: str) -> None:
    assert str(Duration.parse(text)) == text


def test_seconds_are_for_trios_deadlines() -> None:
    assert Duration.parse("80ms").total_seconds() == 0.08


def test_a_secret_shows_itself_only_when_it_is_asked_to() -> None:
    secret = Secret("hunter2")

    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter2"


def test_an_empty_secret_is_none() -> None:
    assert not Secret("")
    assert Secret("x")
