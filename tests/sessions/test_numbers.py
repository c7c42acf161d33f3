"""What operators see of the room in their metrics."""

from uuid import UUID

from prometheus_client import CollectorRegistry, generate_latest

from pulsekeeper.sessions.model import Reason
from pulsekeeper.sessions.numbers import Numbers
from pulsekeeper.sessions.records import Claims, Heard, Standing, Swept
from tests.support.sessions import NOW, event, speech

NOBODY = Claims(UUID(int=1), UUID(int=2), NOW)


def exposed(registry: CollectorRegistry) -> list[str]:
    return generate_latest(registry).decode().splitlines()


def test_every_event_is_counted_with_what_became_of_it() -> None:
    registry = CollectorRegistry()
    numbers = Numbers(registry)

    numbers.heard([speech(NOBODY, NOW, event(), event(), event())], [Heard(Standing.ALIVE, 2)])
    numbers.heard([speech(NOBODY, NOW, event())], [Heard(Standing.ENDED, 0)])
    numbers.heard([speech(NOBODY, NOW, event())], [Heard(Standing.TOO_LATE, 0)])
    numbers.refused([Reason.TOO_LATE, Reason.BAD_NAME])

    text = exposed(registry)
    assert 'pulsekeeper_sessions_events_total{verdict="accepted"} 2.0' in text
    assert 'pulsekeeper_sessions_events_total{verdict="duplicate"} 2.0' in text
    assert 'pulsekeeper_sessions_events_total{verdict="too_late"} 1.0' in text
    assert 'pulsekeeper_sessions_events_total{verdict="bad_name"} 1.0' in text


def test_starts_and_ends_are_counted() -> None:
    registry = CollectorRegistry()
    numbers = Numbers(registry)

    numbers.started(3)
    numbers.heard([speech(NOBODY, NOW, ends=True)], [Heard(Standing.ALIVE)])
    numbers.heard([speech(NOBODY, NOW, ends=True)], [Heard(Standing.ENDED)])
    numbers.reaped(Swept(ended=5, put_off=7, overlong=2))

    text = exposed(registry)
    assert "pulsekeeper_sessions_started_total 3.0" in text
    assert 'pulsekeeper_sessions_ended_total{reason="explicit"} 1.0' in text
    assert 'pulsekeeper_sessions_ended_total{reason="timeout"} 3.0' in text
    assert 'pulsekeeper_sessions_ended_total{reason="max_length"} 2.0' in text


def test_commits_are_measured_by_their_kind() -> None:
    registry = CollectorRegistry()

    Numbers(registry).committed("speak", 17, 0.03)

    text = exposed(registry)
    assert 'pulsekeeper_sessions_batch_size_sum{kind="speak"} 17.0' in text
    assert 'pulsekeeper_sessions_commit_seconds_bucket{kind="speak",le="0.05"} 1.0' in text
