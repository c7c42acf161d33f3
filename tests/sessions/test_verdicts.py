"""What a client is told about its events."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from pulsekeeper.sessions.judging import Judged
from pulsekeeper.sessions.model import IngestReply, Reason, Refusal
from pulsekeeper.sessions.records import Event, Heard, Standing
from pulsekeeper.sessions.verdicts import ingest_reply

BAD = Refusal(1, None, Reason.BAD_ID)


def judged(*numbers: int, refusals: tuple[Refusal, ...] = (BAD,)) -> Judged:
    """Good events at these places, with their place as id."""
    at = datetime(2026, 11, 22, tzinfo=UTC)
    events = tuple(Event(UUID(int=number), "x", at, None, None, None, is_cut=False) for number in numbers)
    return Judged(events, numbers, refusals, acted=True)


@pytest.mark.parametrize("standing", [Standing.ALIVE, Standing.ENDED])
def test_what_was_stored_before_is_a_duplicate(standing: Standing) -> None:
    assert ingest_reply(judged(0, 2, 3), Heard(standing, 2)) == IngestReply(accepted=2, duplicates=1, rejected=(BAD,))


@pytest.mark.parametrize(
    ("standing", "reason"), [(Standing.UNKNOWN, Reason.UNKNOWN_SESSION), (Standing.TOO_LATE, Reason.TOO_LATE)]
)
def test_a_session_that_takes_nothing_refuses_every_event_in_its_place(standing: Standing, reason: Reason) -> None:
    reply = ingest_reply(judged(0, 2), Heard(standing))
    assert reply == IngestReply(
        accepted=0,
        duplicates=0,
        rejected=(Refusal(0, str(UUID(int=0)), reason), BAD, Refusal(2, str(UUID(int=2)), reason)),
    )
