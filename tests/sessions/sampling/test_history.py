"""A made-up history is the same each time, is plausible, and has nothing in it that is still to come."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.sampling.history import Visit, visits
from pulsekeeper.sessions.sampling.population import Sample, populate

SETTINGS = Settings()
SAMPLE = Sample(seed=1, until=date(2026, 3, 31), days=30, installations=120)
LATER = datetime(2026, 6, 1, tzinfo=UTC)
"""When all of it has happened."""
MEANWHILE = datetime(2026, 3, 31, 12, 7, tzinfo=UTC)


def told(sample: Sample = SAMPLE, now: datetime = LATER) -> list[Visit]:
    installations = populate(sample)
    days = (visits(sample, installations, number, SETTINGS, now) for number in range(sample.days))
    return [visit for day in days for visit in day]


def ids(history: Sequence[Visit]) -> set[object]:
    of_events = {event.id for visit in history for event in visit.events}
    return of_events | {visit.session.id for visit in history} | {visit.session.installation_id for visit in history}


@pytest.fixture(scope="module")
def history() -> Sequence[Visit]:
    """All of it."""
    return told()


@pytest.fixture(scope="module")
def so_far() -> Sequence[Visit]:
    """What of it has happened by an afternoon of the last day."""
    return told(now=MEANWHILE)


def test_the_same_seed_and_day_tell_the_same_history(history: Sequence[Visit]) -> None:
    again = told()

    assert [visit.events for visit in again] == [visit.events for visit in history]
    assert [visit.session for visit in again] == [visit.session for visit in history]


@pytest.mark.parametrize(
    "other",
    [
        replace(SAMPLE, seed=2),
        replace(SAMPLE, until=SAMPLE.until + timedelta(days=1)),
        replace(SAMPLE, days=29),
        replace(SAMPLE, installations=121),
    ],
    ids=["seed", "last day", "days", "installations"],
)
def test_another_one_has_no_id_in_common_with_it(history: Sequence[Visit], other: Sample) -> None:
    assert ids(history) & ids(told(other)) == set()


def test_every_id_is_there_once(history: Sequence[Visit]) -> None:
    events = [event.id for visit in history for event in visit.events]
    sessions = [visit.session.id for visit in history]

    assert len(set(events)) == len(events)
    assert len(set(sessions)) == len(sessions)


def test_days_are_those_of_the_installations(history: Sequence[Visit]) -> None:
    days = {visit.session.started_at.astimezone(ZoneInfo(visit.session.timezone)).date() for visit in history}

    assert (min(days), max(days)) == (date(2026, 3, 2), date(2026, 3, 31))


def test_people_come_back_and_rest_at_weekends(history: Sequence[Visit]) -> None:
    weekdays = [visit.session.started_at.weekday() for visit in history]
    installations = {visit.session.installation_id for visit in history}

    assert len(history) > 3 * len(installations)
    assert sum(day >= 5 for day in weekdays) / 2 < sum(day < 5 for day in weekdays) / 5


def test_sessions_end_in_every_way(history: Sequence[Visit]) -> None:
    assert {visit.session.end_reason for visit in history} == {"explicit", "timeout", "consent"}
    assert any(visit.session.away for visit in history)
    assert any(not visit.session.acted for visit in history)


def test_nothing_comes_from_an_installation_after_its_consent_was_withdrawn(history: Sequence[Visit]) -> None:
    sessions = [visit.session for visit in history]
    withdrawn = {each.installation_id: each.ended_at for each in sessions if each.end_reason == "consent"}
    received = [(event.received_at, withdrawn.get(event.installation_id)) for each in history for event in each.events]

    assert withdrawn
    assert not any(end is not None and at > end for at, end in received)


def test_a_session_ends_with_its_last_sign_of_life_or_its_last_event(history: Sequence[Visit]) -> None:
    for visit in history:
        session = visit.session
        assert session.started_at <= session.last_seen_at
        assert session.ended_at == max([session.last_seen_at, *(event.at for event in visit.events)])


def test_events_come_in_order_and_are_never_received_before_they_happened(history: Sequence[Visit]) -> None:
    for visit in history:
        assert [event.seq for event in visit.events] == [*range(len(visit.events))]
        assert all(first.at <= second.at for first, second in pairwise(visit.events))
        assert all(visit.session.started_at <= event.at <= event.received_at for event in visit.events)


def test_some_events_are_late_but_never_so_late_that_they_would_be_refused(history: Sequence[Visit]) -> None:
    delays = [event.received_at - event.at for visit in history for event in visit.events]

    assert SETTINGS.timeout < max(delays) < SETTINGS.late


def test_what_lies_after_the_present_has_not_happened_yet(history: Sequence[Visit], so_far: Sequence[Visit]) -> None:
    assert 0 < len(so_far) < len(history)
    assert all(visit.session.last_seen_at <= MEANWHILE for visit in so_far)
    assert all(event.received_at <= MEANWHILE for visit in so_far for event in visit.events)


def test_what_has_happened_does_not_change_later(history: Sequence[Visit], so_far: Sequence[Visit]) -> None:
    later = {visit.session.id: visit for visit in history}

    for visit in so_far:
        events = later[visit.session.id].events
        assert [event for event in events if event.received_at <= MEANWHILE] == visit.events


def test_a_session_is_open_as_long_as_it_has_not_been_silent_for_too_long(so_far: Sequence[Visit]) -> None:
    sessions = [visit.session for visit in so_far]
    is_open = [session for session in sessions if session.ended_at is None]

    assert is_open
    assert all(MEANWHILE - session.last_seen_at <= SETTINGS.timeout for session in is_open)
    assert all(session.end_reason for session in sessions if MEANWHILE - session.last_seen_at > SETTINGS.timeout)


def test_a_session_is_away_once_it_has_been_silent_for_two_intervals(history: Sequence[Visit]) -> None:
    for visit in history:
        for start, end in visit.session.away:
            heard = [event.received_at for event in visit.events]
            assert visit.session.started_at < start < end <= visit.session.last_seen_at
            assert not any(start - 2 * SETTINGS.still_alive < at < end for at in heard)
