"""The campaigns that come with the service do what their names promise."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from pulsekeeper.decisions.rulebook.reading import read_campaigns
from pulsekeeper.decisions.rules.book import RuleBook, compile_book
from pulsekeeper.decisions.rules.campaigns import Release
from pulsekeeper.decisions.rules.model import Policy
from pulsekeeper.decisions.rules.people import Person, bucket
from tests.support.rules import ADDRESS, DAY, MINUTE, NOW, USER, VISITOR, ask, call, seen, shown, winners

FILES = sorted((Path(__file__).parents[2] / "config" / "campaigns").glob("*.json"))


@pytest.fixture(scope="module")
def book() -> RuleBook:
    campaigns = read_campaigns([json.loads(path.read_bytes()) for path in FILES])
    return compile_book(campaigns, [Release(id="2025.10.1", released_at=NOW - 5 * DAY)], Policy())


def test_there_are_four_of_them() -> None:
    assert len(FILES) == 4


@pytest.mark.parametrize("person", [VISITOR, ADDRESS, USER])
@pytest.mark.parametrize("release", ["2025.9.30", "2025.10.1", "2026.1.1"])
def test_a_new_person_is_shown_nothing(book: RuleBook, person: Person, release: str) -> None:
    request = call(releaseId=release, featureFlags=["calendar-upgrade-v2"])
    assert winners(ask(book, None, request, person=person)) == []


@pytest.mark.parametrize("known", ["2025.9.30", "2025.10.1"])
def test_someone_last_seen_40_days_ago_is_welcomed_back(book: RuleBook, known: str) -> None:
    (decision,) = ask(book, seen(40 * DAY, release=known)).decisions
    assert decision.campaign_id == "welcome-back"
    assert decision.action == "SHOW_SNACKBAR"
    assert decision.reason == ("returning_after_30_days",)


def test_someone_who_comes_often_is_told_what_is_new(book: RuleBook) -> None:
    (decision,) = ask(book, seen(6 * DAY)).decisions
    assert decision.campaign_id == "new-release-2025q4"
    assert decision.action == "SHOW_DIALOG"
    assert decision.reason == ("first_visit_since_release",)


def test_a_power_user_is_asked_about_the_beta_and_told_nothing_else(book: RuleBook) -> None:
    (decision,) = ask(book, seen(60 * MINUTE, total=80, today=5)).decisions
    assert decision.campaign_id == "power-user-beta"
    assert winners(ask(book, seen(60 * MINUTE, total=80, today=3, release="2025.10.1"))) == []


def test_the_tour_is_for_a_quarter_of_the_organizers_with_the_flag(book: RuleBook) -> None:
    request = call(featureFlags=["calendar-upgrade-v2"])
    people = [replace(USER, key=f"user:{number}") for number in range(100)]
    toured = {p.key for p in people if "calendar-upgrade-tour" in winners(ask(book, seen(), request, person=p))}
    assert toured == {person.key for person in people if bucket("calendar-upgrade-v2", person.key) < 25}
    assert toured


def test_nobody_gets_two_messages_in_a_day(book: RuleBook) -> None:
    before = seen(6 * DAY, campaigns={"welcome-back": shown(60 * MINUTE)})
    assert winners(ask(book, before)) == []
