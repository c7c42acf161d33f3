"""Every rule, at its edges. The order of the tests is the order of the rules."""

from datetime import timedelta

import msgspec
import pytest

from pulsekeeper.decisions import visits
from pulsekeeper.decisions.book import compile_book
from pulsekeeper.decisions.campaigns import Campaign
from pulsekeeper.decisions.conditions import RULES, refusal, relevant
from pulsekeeper.decisions.model import CampaignState, Policy, VisitorState
from pulsekeeper.decisions.people import Person, bucket
from tests.support.rules import (
    ADDRESS,
    DAY,
    INSTANT,
    MINUTE,
    NOW,
    REQUEST,
    USER,
    VISITOR,
    call,
    campaign,
    offered,
    reason,
    seen,
    shown,
)


def test_a_campaign_without_conditions_is_shown() -> None:
    assert reason(campaign()) == "shown"


def test_one_that_is_switched_off_is_inactive_whatever_else_is_wrong() -> None:
    assert reason(campaign(active=False, validFrom="2999-01-01T00:00:00Z")) == "inactive"


def test_it_begins_at_valid_from() -> None:
    begins = campaign(validFrom=NOW.isoformat())
    assert reason(begins, now=NOW - INSTANT) == "not_yet"
    assert reason(begins, now=NOW) == "shown"


def test_at_valid_to_it_is_over() -> None:
    ends = campaign(validTo=NOW.isoformat())
    assert reason(ends, now=NOW - INSTANT) == "shown"
    assert reason(ends, now=NOW) == "over"


def test_a_season_may_be_written_in_any_offset() -> None:
    ends = campaign(validTo="2025-10-15T08:00:00-04:00")
    assert reason(ends, now=NOW - INSTANT) == "shown"
    assert reason(ends, now=NOW) == "over"


def test_auth_is_a_verified_token_and_nothing_else() -> None:
    guarded = campaign(trigger={"requireAuth": True})
    assert reason(guarded, person=VISITOR) == "needs_auth"
    assert reason(guarded, person=USER) == "shown"
    assert reason(guarded, person=Person(key="user:u-1", kind="user")) == "needs_auth"


def test_what_is_personal_is_not_for_an_address() -> None:
    personal = campaign(personal=True)
    assert reason(personal, person=ADDRESS) == "personal_identity"
    assert reason(personal, person=VISITOR) == "shown"
    assert reason(personal, person=USER) == "shown"


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("US", "shown"),
        ("US-MA", "shown"),
        ("DE-BY", "shown"),
        ("DE-BY-09", "shown"),
        (["FR", "US-NY"], "shown"),
        ("DE", "segment"),
        ("USA", "segment"),
        ("us", "segment"),
        ("US_MA", "segment"),
        ("", "segment"),
        (7, "segment"),
        (True, "segment"),
        ([], "segment"),
    ],
)
def test_a_region_takes_its_subdivisions(region: object, expected: str) -> None:
    where = campaign(trigger={"segment": {"regions": ["US", "DE-BY"]}})
    assert reason(where, request=call(attributes={"region": region})) == expected


@pytest.mark.parametrize(("device", "expected"), [("mobile", "shown"), ("Mobile", "segment"), ("mobile-x", "segment")])
def test_a_device_type_is_compared_exactly(device: str, expected: str) -> None:
    on_mobiles = campaign(trigger={"segment": {"deviceType": ["mobile", "tablet"]}})
    assert reason(on_mobiles, request=call(attributes={"deviceType": device})) == expected


def test_a_missing_attribute_matches_nothing() -> None:
    assert reason(campaign(trigger={"segment": {"regions": ["US"]}})) == "segment"
    assert reason(campaign(trigger={"segment": {"deviceType": ["mobile"]}})) == "segment"


def test_roles_come_from_the_token_and_never_from_attributes() -> None:
    for_organizers = campaign(trigger={"segment": {"roles": ["organizer", "admin"]}})
    assert reason(for_organizers, person=USER) == "shown"
    assert reason(for_organizers, request=call(attributes={"roles": ["organizer"], "role": "organizer"})) == "segment"


def test_every_list_of_a_segment_must_match() -> None:
    both = campaign(trigger={"segment": {"regions": ["US"], "deviceType": ["mobile"]}})
    assert reason(both, request=call(attributes={"region": "US", "deviceType": "mobile"})) == "shown"
    assert reason(both, request=call(attributes={"region": "US", "deviceType": "desktop"})) == "segment"


def test_an_empty_list_is_no_condition() -> None:
    assert reason(campaign(trigger={"segment": {"regions": []}, "featureFlags": []})) == "shown"


def test_all_flags_must_be_there() -> None:
    flagged = campaign(trigger={"featureFlags": ["a", "b"]})
    assert reason(flagged, request=call(featureFlags=["b", "c", "a"])) == "shown"
    assert reason(flagged, request=call(featureFlags=["a", "B"])) == "feature_flag"
    assert reason(flagged) == "feature_flag"


ANNOUNCEMENT = campaign(type="release", trigger={"releaseId": "2025.10.1"})


@pytest.mark.parametrize(
    ("running", "expected"),
    [
        ("2025.10.1", "shown"),
        ("v2025.10.1", "shown"),
        ("2025.10.2", "shown"),
        ("2025.9.30", "release_not_running"),
        ("2025.10", "release_not_running"),
    ],
)
def test_an_announcement_is_for_clients_that_run_it_or_something_later(running: str, expected: str) -> None:
    assert reason(ANNOUNCEMENT, seen(), call(releaseId=running)) == expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [("2025.9.30", "shown"), (None, "shown"), ("2025.10.1", "release_seen"), ("2025.10.2", "release_seen")],
)
def test_an_announcement_is_news_only_until_it_or_a_later_one_was_seen(known: str | None, expected: str) -> None:
    assert reason(ANNOUNCEMENT, seen(release=known)) == expected


def test_nobody_is_told_what_is_new_on_their_first_visit() -> None:
    assert reason(ANNOUNCEMENT, None) == "release_new_person"
    first_visit = seen(MINUTE, total=1, today=1)
    assert reason(ANNOUNCEMENT, first_visit) == "release_new_person"
    assert reason(ANNOUNCEMENT, seen(30 * MINUTE, total=1, today=1)) == "shown"


ABSENCE = campaign(trigger={"minDaysSinceLastSeen": 30, "maxDaysSinceLastSeen": 60})


@pytest.mark.parametrize(
    ("away", "expected"),
    [
        (timedelta(), "too_recent"),
        (30 * DAY, "too_recent"),
        (30 * DAY + INSTANT, "shown"),
        (60 * DAY, "shown"),
        (60 * DAY + INSTANT, "too_long_ago"),
    ],
)
def test_days_are_counted_to_the_instant(away: timedelta, expected: str) -> None:
    """Exactly thirty times 24 hours is not yet "older than 30 days"."""
    assert reason(ABSENCE, seen(away)) == expected


def test_who_was_never_here_has_not_been_away() -> None:
    assert reason(ABSENCE, None) == "too_recent"
    assert reason(campaign(trigger={"minDaysSinceLastSeen": 0}), None) == "too_recent"
    assert reason(campaign(trigger={"maxDaysSinceLastSeen": 7}), None) == "too_long_ago"


def test_a_client_that_answered_from_its_cache_was_seen_then() -> None:
    assert reason(ABSENCE, seen(40 * DAY), call(lastClientActionAt=NOW - DAY)) == "too_recent"
    assert reason(ABSENCE, seen(40 * DAY), call(lastClientActionAt=NOW - 31 * DAY)) == "shown"
    assert reason(ABSENCE, seen(40 * DAY), call(lastClientActionAt=NOW - 70 * DAY)) == "shown"


def test_a_client_with_a_wrong_clock_was_seen_now_at_the_latest() -> None:
    assert reason(ABSENCE, seen(40 * DAY), call(lastClientActionAt=NOW + 700 * DAY)) == "too_recent"


@pytest.mark.parametrize(
    ("total", "expected"), [(1, "too_few_visits"), (2, "shown"), (4, "shown"), (5, "too_many_visits")]
)
def test_visits_count_with_this_one(total: int, expected: str) -> None:
    """Someone who had made `total` visits before makes one more by this call."""
    assert reason(campaign(trigger={"minVisits": 3, "maxVisits": 5}), seen(total=total)) == expected


def test_a_second_call_of_a_visit_does_not_count_again() -> None:
    assert reason(campaign(trigger={"maxVisits": 5}), seen(29 * MINUTE, total=5)) == "shown"
    assert reason(campaign(trigger={"maxVisits": 5}), seen(30 * MINUTE, total=5)) == "too_many_visits"


def test_a_new_person_is_on_the_first_visit() -> None:
    assert reason(campaign(trigger={"maxVisits": 1})) == "shown"
    assert reason(campaign(trigger={"minVisits": 2})) == "too_few_visits"


def test_visits_of_one_day_count_with_this_one() -> None:
    daily = campaign(trigger={"maxVisitsToday": 3})
    assert reason(daily, seen(60 * MINUTE, today=2)) == "shown"
    assert reason(daily, seen(60 * MINUTE, today=3)) == "too_many_today"


def test_an_expression_must_give_true() -> None:
    assert reason(campaign(trigger={"when": "visits.total == 6 && visits.today == 1"}), seen(total=5)) == "shown"
    assert reason(campaign(trigger={"when": "visits.total == 5"}), seen(total=5)) == "expression"


def test_an_expression_that_fails_shows_nothing() -> None:
    assert reason(campaign(trigger={"when": "attributes.plan == 'free'"})) == "expression"
    assert (
        reason(campaign(trigger={"when": "attributes.plan == 'free'"}), None, call(attributes={"plan": "free"}))
        == "shown"
    )
    assert reason(campaign(trigger={"when": "visits.total"})) == "expression"


@pytest.mark.parametrize(
    "when",
    [
        "release == '2025.10.1'",
        "'beta' in flags && flags.size() == 1",
        "visitor.kind == 'user' && !visitor.firstVisit && visitor.daysSinceLastSeen == 9",
        "visitor.lastReleaseSeen == '2025.9.30'",
        "visits.today == 1 && visits.thisWeek == 1 && visits.total == 6",
        "attributes.plan == 'free' && attributes.seats == 3 && attributes.trial",
        "now == timestamp('2025-10-15T12:00:00Z')",
        "auth.authenticated && 'organizer' in auth.roles",
    ],
)
def test_an_expression_sees_the_whole_context(when: str) -> None:
    request = call(featureFlags=["beta"], attributes={"plan": "free", "seats": 3, "trial": True})
    before = seen(10 * DAY - INSTANT)
    assert reason(campaign(trigger={"when": when}), before, request, person=USER) == "shown"


def test_a_new_person_has_no_days_since_last_seen() -> None:
    assert reason(campaign(trigger={"when": "!has(visitor.daysSinceLastSeen) && visitor.firstVisit"})) == "shown"
    assert reason(campaign(trigger={"when": "visitor.lastReleaseSeen == ''"})) == "shown"


def test_an_expression_that_no_longer_compiles_refuses_everybody() -> None:
    """It was saved by a version that knew a function that this one does not."""
    stored = msgspec.structs.replace(
        campaign(), trigger=msgspec.convert({"when": "future(1)"}, type(campaign().trigger))
    )
    assert reason(compile_book([stored], (), Policy())) == "expression"


def test_a_bucket_at_the_percentage_is_out() -> None:
    place = bucket("s", VISITOR.key)
    assert reason(campaign(rollout={"percent": place, "salt": "s"})) == "rollout"
    assert reason(campaign(rollout={"percent": place + 0.01, "salt": "s"})) == "shown"


def test_nobody_is_in_a_rollout_of_0_and_everybody_in_one_of_100() -> None:
    people = [Person(key=f"visitor:{number}", kind="visitor") for number in range(300)]
    assert {reason(campaign(rollout={"percent": 0}), person=person) for person in people} == {"rollout"}
    assert {reason(campaign(rollout={"percent": 100}), person=person) for person in people} == {"shown"}


def test_without_a_salt_each_campaign_draws_its_own_people() -> None:
    people = [Person(key=f"visitor:{number}", kind="visitor") for number in range(300)]
    drawn = [
        {person.key for person in people if reason(campaign(key, rollout={"percent": 50}), person=person) == "shown"}
        for key in ("one", "other")
    ]
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (CampaignState(offers=1, acknowledged_at=NOW - 3 * DAY), "acknowledged"),
        (CampaignState(offers=1, dismissed_at=NOW - 3 * DAY), "dismissed"),
        (CampaignState(offers=1, acknowledged_at=NOW - 3 * DAY, dismissed_at=NOW - 4 * DAY), "acknowledged"),
    ],
)
def test_an_answer_ends_it_unless_it_is_meant_to_return(state: CampaignState, expected: str) -> None:
    before = seen(campaigns={"hello": state})
    assert reason(campaign(), before) == expected
    assert reason(campaign(frequency={"untilAcknowledged": False}), before) == "shown"


def test_a_cap_counts_confirmed_showings() -> None:
    capped = campaign(frequency={"caps": [{"cap": 2, "period": "P7D"}]})
    assert reason(capped, seen(campaigns={"hello": shown(5 * DAY)})) == "shown"
    assert reason(capped, seen(campaigns={"hello": shown(5 * DAY, 4 * DAY)})) == "frequency"
    assert reason(capped, seen(campaigns={"hello": shown(7 * DAY, 4 * DAY)})) == "shown"


def test_it_is_offered_only_so_often_without_an_answer() -> None:
    assert reason(campaign(), seen(campaigns={"hello": offered(DAY, offers=2)})) == "shown"
    assert reason(campaign(), seen(campaigns={"hello": offered(DAY, offers=3)})) == "offered_enough"
    assert reason(campaign(frequency={"offers": 5}), seen(campaigns={"hello": offered(DAY, offers=4)})) == "shown"


def test_answered_offers_do_not_count_towards_being_ignored() -> None:
    assert reason(campaign(), seen(campaigns={"hello": shown(9 * DAY, 8 * DAY, 7 * DAY, offers=5)})) == "shown"
    assert reason(campaign(), seen(campaigns={"hello": shown(9 * DAY, 8 * DAY, 7 * DAY, offers=6)})) == "offered_enough"


def test_more_than_five_visits_a_day_make_it_quiet() -> None:
    assert reason(campaign(), seen(60 * MINUTE, today=4)) == "shown"
    assert reason(campaign(), seen(60 * MINUTE, today=5)) == "quiet"
    assert reason(campaign(), seen(MINUTE, today=5)) == "shown"
    assert reason(campaign(exempt={"quiet": True}), seen(60 * MINUTE, today=50)) == "shown"


def test_it_is_quiet_only_on_that_day() -> None:
    assert reason(campaign(), seen(DAY, today=50), now=NOW + DAY) == "shown"


def test_after_a_showing_everything_cools_down() -> None:
    assert reason(campaign(), seen(campaigns={"other": shown(DAY - INSTANT)})) == "cooldown"
    assert reason(campaign(), seen(campaigns={"other": shown(DAY)})) == "shown"
    assert reason(campaign(exempt={"cooldown": True}), seen(campaigns={"other": shown(MINUTE)})) == "shown"


def test_the_rules_are_asked_in_their_order() -> None:
    """Everything is wrong at once, and then one thing after the other is put right."""
    trouble: dict[str, object] = {
        "active": False,
        "trigger": {"requireAuth": True, "featureFlags": ["x"], "releaseId": "3000", "minVisits": 99, "when": "false"},
        "rollout": {"percent": 0},
    }
    trigger = trouble["trigger"]
    assert isinstance(trigger, dict)
    trigger |= {"segment": {"regions": ["X"]}, "minDaysSinceLastSeen": 99}
    state = CampaignState(offers=9, last_offered_at=NOW, acknowledged_at=NOW - DAY, dismissed_at=NOW - DAY)
    before = seen(60 * MINUTE, today=9, campaigns={"hello": state, "other": shown(MINUTE)})

    def now_it_is(without: str | None = None, *, member: str | None = None) -> str:
        if without is not None:
            del trouble[without]
        if member is not None:
            del trigger[member]
        return reason(campaign("hello", **trouble), before)

    assert now_it_is() == "inactive"
    assert now_it_is("active") == "needs_auth"
    assert now_it_is(member="requireAuth") == "segment"
    assert now_it_is(member="segment") == "feature_flag"
    assert now_it_is(member="featureFlags") == "release_not_running"
    assert now_it_is(member="releaseId") == "too_recent"
    assert now_it_is(member="minDaysSinceLastSeen") == "too_few_visits"
    assert now_it_is(member="minVisits") == "expression"
    assert now_it_is(member="when") == "rollout"
    assert now_it_is("rollout") == "acknowledged"

    def with_state(**changes: object) -> VisitorState:
        nonlocal state
        state = msgspec.structs.replace(state, **changes)
        return seen(60 * MINUTE, today=9, campaigns={"hello": state, "other": shown(MINUTE)})

    assert reason(campaign(), with_state(acknowledged_at=None)) == "dismissed"
    assert reason(campaign(), with_state(dismissed_at=None)) == "frequency"
    assert reason(campaign(), with_state(last_offered_at=NOW - DAY)) == "offered_enough"
    assert reason(campaign(), with_state(offers=1)) == "quiet"
    assert reason(campaign(exempt={"quiet": True}), before=with_state()) == "cooldown"


@pytest.mark.parametrize(
    "plain",
    [
        campaign(),
        campaign(personal=True, rollout={"percent": 10}, exempt={"quiet": True}),
        campaign(validTo="2026-01-01T00:00:00Z", frequency={"untilAcknowledged": False}, exempt={"cooldown": True}),
    ],
)
def test_leaving_out_needless_rules_changes_nothing(plain: Campaign) -> None:
    book = compile_book([plain], (), Policy())
    ((entry, rules),) = book.asked
    assert set(rules) < set(RULES)
    assert list(rules) == [rule for rule in RULES if rule in rules]
    assert rules == relevant(entry)


def test_no_rules_refuse_nothing() -> None:
    book = compile_book([campaign(active=False)], (), Policy())
    visit = visits.begin(book.terms, VISITOR, None, REQUEST, NOW)
    assert refusal(book.entries[0], visit, ()) is None
