"""What `maintain` says of each room."""

from datetime import UTC, datetime

import pytest
from msgspec import Struct

from pulsekeeper.cli.maintenance import _maintain
from pulsekeeper.postgres.failures import TransactionConflict

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


class Done(Struct, frozen=True):
    """What a run has done."""

    made: tuple[str, ...] = ("events_20260310", "events_20260311")
    dropped: tuple[str, ...] = ()
    events_deleted: int = 0
    salt_rotated: bool = False
    keys_rotated: bool = True


async def test_what_was_done_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    async def turn(_: datetime) -> Done:
        return Done()

    assert await _maintain("sessions", turn, NOW)
    assert capsys.readouterr().out.splitlines() == [
        "sessions: made events_20260310",
        "sessions: made events_20260311",
        "sessions: 0 events deleted",
        "sessions: keys rotated",
    ]


async def test_another_nodes_turn_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    async def turn(_: datetime) -> None:
        return None

    assert await _maintain("sessions", turn, NOW)
    assert capsys.readouterr() == ("sessions: another node is at it\n", "")


async def test_what_could_not_be_done_is_told_apart_and_leaves_the_next_room_its_turn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def turn(_: datetime) -> None:
        raise TransactionConflict("The table was never free for a moment.")

    assert not await _maintain("sessions", turn, NOW)
    assert capsys.readouterr() == ("", "sessions: The table was never free for a moment.\n")
