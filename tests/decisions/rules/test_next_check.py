"""When a page should ask again."""

from datetime import timedelta

import pytest

from pulsekeeper.decisions.rules.book import RuleBook
from pulsekeeper.decisions.rules.campaigns import Campaign, Release
from pulsekeeper.decisions.rules.model import DecideRequest, Policy, VisitorState
from pulsekeeper.decisions.rules.people import Person
from tests.support.rules import DAY, MINUTE, NOW, REQUEST, ask, book_of, call, campaign, offered, seen, shown

PEOPLE = [Person(key=f"visitor:{number}", kind="visitor") for number in range(40)]


def checks(
    rules: RuleBook | Campaign, before: VisitorState | None = None, request: DecideRequest = REQUEST
) -> list[int]:
    """What each of some people is told."""
    return [ask(rules, before, request, person=person).next_check_seconds for person in PEOPLE]


def begins(in_: timedelta) -> Campaign:
    return campaign(validFrom=(NOW + in_).isoformat())


@pytest.mark.parametrize(
    ("rules", "before", "seconds"),
    [
        (begins(20 * MINUTE), None, 1200),
        (campaign(validTo=(NOW + 10 * MINUTE).isoformat()), None, 600),
        (campaign(), None, 1800),  # the reservation of what is shown
        (campaign(), seen(campaigns={"hello": offered(20 * MINUTE)}), 600),
        (campaign(), seen(campaigns={"other": offered(20 * MINUTE)}), 600),
        (campaign(), seen(campaigns={"other": shown(DAY - 15 * MINUTE)}), 900),
        (campaign(trigger={"minVisits": 7}), seen(total=5), 1800),
        (campaign(trigger={"releaseId": "2025.10.1"}), None, 1800),
        (campaign(frequency={"caps": [{"cap": 1, "period": "PT12H"}]}, exempt={"cooldown": True}),
         seen(campaigns={"hello": shown(timedelta(hours=11.5))}), 1800),
        (book_of(releases=[Release(id="3", released_at=NOW + 20 * MINUTE)]), None, 1200),
        (book_of(begins(45 * MINUTE), campaign("second", validFrom=(NOW + 20 * MINUTE).isoformat())), None, 1200),
    ],
)  # fmt: skip
def test_it_is_the_earliest_moment_at_which_the_answer_can_change(
    rules: RuleBook | Campaign, before: VisitorState | None, seconds: int
) -> None:
    told = checks(rules, before)
    assert all(seconds * 0.9 <= each <= seconds * 1.1 + 1 for each in told)
    assert max(told) - min(told) > seconds * 0.1


@pytest.mark.parametrize("members", [{"trigger": {"maxVisitsToday": 3}}, {"trigger": {}}])
def test_what_was_too_much_for_today_waits_for_the_person_s_midnight(members: dict[str, object]) -> None:
    """Where these people are it is half past eleven at night."""
    told = checks(campaign("hello", **members), seen(60 * MINUTE, today=7), call(timezoneOffset=-690))
    assert all(1620 <= each <= 1981 for each in told)


@pytest.mark.parametrize(
    "rules",
    [
        book_of(releases=()),
        campaign(active=False),
        campaign(validTo=(NOW - DAY).isoformat()),
        campaign(trigger={"requireAuth": True}),
        campaign(trigger={"featureFlags": ["x"]}),
        campaign(trigger={"when": "false"}),
        campaign(trigger={"minDaysSinceLastSeen": 30}),
        campaign(rollout={"percent": 0}),
        begins(5 * DAY),
    ],
)
def test_what_time_does_not_change_soon_is_asked_for_within_the_hour(rules: RuleBook | Campaign) -> None:
    told = checks(rules)
    assert all(3240 <= each <= 3600 for each in told)
    assert len(set(told)) > len(PEOPLE) // 2


def test_nobody_is_told_to_come_back_sooner_than_in_a_minute() -> None:
    assert all(60 <= each <= 67 for each in checks(begins(timedelta(seconds=1))))


def test_who_was_away_too_long_is_here_again_now() -> None:
    assert all(each <= 67 for each in checks(campaign(trigger={"maxDaysSinceLastSeen": 3}), seen(9 * DAY)))


def test_a_person_is_always_told_the_same() -> None:
    assert checks(campaign()) == checks(campaign())


def test_limits_that_contradict_each_other_do_no_harm() -> None:
    policy = Policy(next_check_min=timedelta(minutes=5), next_check_max=timedelta(minutes=2))
    assert set(checks(book_of(policy=policy))) == {300}
