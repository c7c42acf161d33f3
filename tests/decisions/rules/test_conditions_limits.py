"""The later rules, at their edges: expressions, rollouts, answers, frequency, quiet and cool-down."""

import msgspec
import pytest
from msgspec.structs import replace

from pulsekeeper.decisions.rules.book import compile_book
from pulsekeeper.decisions.rules.campaigns import Trigger
from pulsekeeper.decisions.rules.model import CampaignState, Policy
from pulsekeeper.decisions.rules.people import Person, bucket
from tests.support.rules import (
    DAY,
    INSTANT,
    MINUTE,
    NOW,
    USER,
    VISITOR,
    ask,
    book_of,
    call,
    campaign,
    offered,
    reason,
    seen,
    shown,
)


def test_an_expression_must_give_true() -> None:
    assert reason(campaign(trigger={"when": "visits.total == 6 && visits.today == 1"}), seen(total=5)) == "shown"
    assert reason(campaign(trigger={"when": "visits.total == 5"}), seen(total=5)) == "expression"


def test_an_expression_that_fails_shows_nothing() -> None:
    assert reason(campaign(trigger={"when": "attributes.plan == 'free'"})) == "expression"
    assert (
        reason(campaign(trigger={"when": "attributes.plan == 'free'"}), None, call(attributes={"plan": "free"}))
        == "shown"
    )
    kept_before = replace(campaign(), trigger=Trigger(when="visits.total"))  # today it would be refused
    assert reason(kept_before) == "expression"


def test_the_failures_of_expressions_are_told_apart_from_what_is_false() -> None:
    rules = book_of(
        campaign("fails", trigger={"when": "attributes.plan == 'free'"}),
        campaign("false", trigger={"when": "visits.total < 0"}),
        campaign("true", trigger={"when": "visits.total > 0"}),
        campaign("not-asked", active=False, trigger={"when": "attributes.plan == 'free'"}),
    )
    assert ask(rules).findings.failures == ("fails",)


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
