"""What counts as a visit, on which day, and what is remembered of it."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from pulsekeeper.decisions.rules.model import DecideRequest, VisitorState, Visits
from tests.support.rules import DAY, INSTANT, MINUTE, NOW, REQUEST, ask, book_of, call, seen

EMPTY = book_of()


def after(before: VisitorState | None = None, request: DecideRequest = REQUEST, now: datetime = NOW) -> VisitorState:
    return ask(EMPTY, before, request, now=now).after


def test_a_new_person_has_made_one_visit() -> None:
    assert after(request=call(attributes={"locale": "en"})) == VisitorState(
        first_seen_at=NOW,
        last_seen_at=NOW,
        visits=Visits(today=1, this_week=1, total=1, day="2025-10-15", week="2025-W42"),
        last_release_seen="2025.10.1",
        last_release_visited="2025.10.1",
        attributes={"locale": "en"},
        version=1,
    )


@pytest.mark.parametrize(("ago", "total"), [(timedelta(), 5), (30 * MINUTE - INSTANT, 5), (30 * MINUTE, 6), (DAY, 6)])
def test_a_call_after_the_gap_starts_a_visit(ago: timedelta, total: int) -> None:
    assert after(seen(ago, total=5)).visits.total == total


def test_calls_that_follow_closely_are_one_visit_however_long() -> None:
    state = None
    for call_number in range(10):
        state = after(state, now=NOW + call_number * 29 * MINUTE)
    assert state is not None
    assert state.visits.total == 1
    assert state.version == 10


def test_a_cached_client_that_was_used_meanwhile_starts_no_visit() -> None:
    assert after(seen(DAY, total=5), call(lastClientActionAt=NOW - MINUTE)).visits.total == 5
    assert after(seen(DAY, total=5), call(lastClientActionAt=NOW + DAY)).visits.total == 5


def test_the_client_s_own_time_is_never_stored() -> None:
    assert after(seen(DAY), call(lastClientActionAt=NOW + DAY)).last_seen_at == NOW


def test_a_new_day_and_a_new_week_begin_to_count_anew() -> None:
    before = replace(seen(total=9), visits=Visits(today=3, this_week=4, total=9, day="2025-10-14", week="2025-W42"))
    assert after(before).visits == Visits(today=1, this_week=5, total=10, day="2025-10-15", week="2025-W42")
    before = replace(before, visits=Visits(today=3, this_week=4, total=9, day="2025-10-12", week="2025-W41"))
    assert after(before).visits == Visits(today=1, this_week=1, total=10, day="2025-10-15", week="2025-W42")


def test_a_visit_belongs_to_the_day_on_which_it_began() -> None:
    """Midnight passes while the page is open: the new day has had no visit yet."""
    midnight = datetime.fromisoformat("2025-10-16T00:05:00+00:00")
    before = replace(seen(total=9, today=2), last_seen_at=midnight - 10 * MINUTE)
    assert after(before, now=midnight).visits == Visits(
        today=0, this_week=2, total=9, day="2025-10-16", week="2025-W42"
    )


@pytest.mark.parametrize(
    ("request_", "day"),
    [
        (call(), "2025-10-16"),
        (call(timezoneOffset=0), "2025-10-16"),
        (call(timezone="America/New_York", timezoneOffset=-240), "2025-10-15"),
        (call(timezoneOffset=240), "2025-10-15"),
        (call(timezoneOffset=-240), "2025-10-16"),
        (call(timezone="Not/AZone", timezoneOffset=240), "2025-10-15"),
        (call(timezone="Not/AZone"), "2025-10-16"),
        (call(timezone="Pacific/Kiritimati"), "2025-10-16"),
        (call(timezone="Pacific/Pago_Pago"), "2025-10-15"),
    ],
)
def test_the_day_is_that_of_the_zone_and_the_offset_only_helps_out(request_: DecideRequest, day: str) -> None:
    assert after(request=request_, now=datetime.fromisoformat("2025-10-16T02:00:00+00:00")).visits.day == day


def test_counters_without_a_date_are_those_of_the_last_call() -> None:
    """Whoever writes a state by hand, to simulate something, may leave the dates to us."""
    bare = VisitorState(last_seen_at=NOW - 60 * MINUTE, visits=Visits(today=4, this_week=7, total=20))
    assert after(bare).visits == Visits(today=5, this_week=8, total=21, day="2025-10-15", week="2025-W42")
    assert after(replace(bare, last_seen_at=NOW - 2 * DAY)).visits.today == 1
    assert after(bare).first_seen_at == NOW - 60 * MINUTE


def test_the_version_goes_up_by_one_with_each_call() -> None:
    assert after(replace(seen(), version=41)).version == 42


def test_an_older_tab_never_moves_the_release_back() -> None:
    before = seen(release="2025.10.1")
    assert after(before, call(releaseId="2025.9.30")).last_release_visited == "2025.10.1"
    assert after(before, call(releaseId="2025.10.2")).last_release_visited == "2025.10.2"


def test_running_a_release_is_not_having_seen_its_announcement() -> None:
    assert after(seen(release="2025.9.30")).last_release_seen == "2025.9.30"


def test_a_clock_that_goes_back_moves_nothing_back() -> None:
    """Two nodes whose clocks differ a little decide for the same person."""
    state = after(seen(-MINUTE, total=5))
    assert state.last_seen_at == NOW + MINUTE
    assert state.visits.total == 5


def test_attributes_are_those_that_were_sent_last() -> None:
    before = replace(seen(), attributes={"locale": "en", "region": "US"})
    assert after(before).attributes == {"locale": "en", "region": "US"}
    assert after(before, call(attributes={"locale": "de"})).attributes == {"locale": "de"}
