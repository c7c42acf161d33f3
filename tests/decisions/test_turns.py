from datetime import timedelta
from uuid import UUID

import msgspec

from pulsekeeper.decisions.records import NOBODY, Impression, Stored
from pulsekeeper.decisions.rules.acks import AckRequest
from pulsekeeper.decisions.rules.book import compile_book
from pulsekeeper.decisions.rules.model import DecideReply, DecideRequest, VisitorState
from pulsekeeper.decisions.rules.people import Person
from pulsekeeper.decisions.turns import Turn, Wish, take_turn
from pulsekeeper.ids import made_at
from tests.support.decisions import NOW, campaign, settings

ANN = Person(key="visitor:ann", kind="visitor")
USER = Person(key="user:ann", kind="user", authenticated=True, roles=("organizer",))
QUESTION = Wish(person=ANN, what=DecideRequest(release_id="1.0", visitor_id="ann-from-the-browser"))
BOOK = compile_book([campaign("hello", exempt={"cooldown": True})], [], settings().policy())


def report(outcome: str, of: str = "hello", person: Person = ANN) -> Wish:
    return Wish(person=person, what=msgspec.convert({"campaignId": of, "outcome": outcome}, AckRequest))


def turn(*wishes: Wish, stored: Stored = NOBODY, anonymous: dict[str, Stored] | None = None) -> Turn:
    return take_turn(BOOK, stored, wishes, anonymous or {}, NOW)


def after(one: Turn) -> Stored:
    assert one.write is not None
    return Stored(one.write.new_version, one.write.state, one.write.last_seen_at)


def state(one: Turn) -> VisitorState:
    assert one.write is not None
    return msgspec.json.decode(one.write.state, type=VisitorState)


def shown(answer: object) -> list[str]:
    assert isinstance(answer, bytes)
    return [each.campaign_id for each in msgspec.json.decode(answer, type=DecideReply).decisions]


def test_each_question_is_decided_on_what_the_one_before_left_behind() -> None:
    one = turn(QUESTION, QUESTION, QUESTION)

    assert [shown(answer) for answer in one.answers] == [["hello"], [], []]


def test_the_versions_tell_what_was_seen_and_what_is_written() -> None:
    first = turn(QUESTION)
    second = turn(QUESTION, QUESTION, stored=after(first))

    assert first.write is not None
    assert second.write is not None
    assert (first.write.seen_version, first.write.new_version) == (0, 1)
    assert (second.write.seen_version, second.write.new_version) == (1, 3)
    assert state(second).version == 3


def test_the_log_has_the_state_that_was_decided_on_and_what_was_known_of_the_asker() -> None:
    first = turn(QUESTION)
    second = turn(QUESTION, stored=after(first))

    assert second.write is not None
    assert second.write.log[0].state_before == after(first).state
    assert msgspec.json.decode(second.write.log[0].identity) == {
        "key": "visitor:ann",
        "kind": "visitor",
        "authenticated": False,
        "roles": [],
    }


def test_the_log_does_not_know_the_browsers_own_id() -> None:
    assert b"ann-from-the-browser" not in msgspec.json.encode(turn(QUESTION).write)


def test_a_decisions_id_is_dated_and_is_the_same_in_answer_and_log() -> None:
    one = turn(QUESTION)

    assert one.write is not None
    assert made_at(UUID(one.write.log[0].decision_id)) == NOW
    assert one.write.log[0].reply == one.answers[0]


def test_an_explanation_is_answered_and_not_logged() -> None:
    one = turn(Wish(person=ANN, what=DecideRequest(release_id="1.0"), explain=True))

    assert isinstance(one.answers[0], bytes)
    assert msgspec.json.decode(one.answers[0])["evaluated"] == [
        {"campaignId": "hello", "verdict": "shown", "reason": "first_visit"}
    ]
    assert one.write is not None
    assert b"evaluated" not in one.write.log[0].reply


def test_an_offer_and_its_report_in_one_turn_are_counted_in_order() -> None:
    one = turn(QUESTION, report("shown"), report("dismissed"))

    assert one.answers[1:] == [True, True]
    assert one.write is not None
    assert [each.event for each in one.write.impressions] == ["offered", "shown", "dismissed"]
    assert one.write.impressions[0] == Impression(
        campaign_id="hello", event="offered", release_id="1.0", decision_id=one.write.log[0].decision_id
    )


def test_a_report_of_what_was_never_offered_writes_nothing() -> None:
    one = turn(report("shown"))

    assert (one.answers, one.write) == ([False], None)


def test_a_repeated_report_writes_nothing() -> None:
    first = turn(QUESTION, report("dismissed"))
    second = turn(report("dismissed"), stored=after(first))

    assert (second.answers, second.write) == ([True], None)


def test_a_release_is_visited_once() -> None:
    first = turn(QUESTION)
    second = turn(QUESTION, stored=after(first))

    assert first.write is not None
    assert second.write is not None
    assert (first.write.releases_visited, second.write.releases_visited) == (["1.0"], [])


def logged_in(*, what: DecideRequest | AckRequest | None = None) -> Wish:
    return Wish(person=USER, what=what or DecideRequest(release_id="1.0"), anonymous_key="visitor:ann")


def test_what_was_dismissed_before_the_login_stays_dismissed_after_it() -> None:
    browser = after(turn(QUESTION, report("dismissed")))
    one = turn(logged_in(), anonymous={"visitor:ann": browser})

    assert [shown(answer) for answer in one.answers] == [[]]
    assert state(one).campaigns["hello"].dismissed_at == NOW
    assert state(one).linked == ("visitor:ann",)


def test_a_link_is_recorded_with_both_states_as_they_were() -> None:
    user = after(turn(Wish(person=USER, what=DecideRequest(release_id="1.0"))))
    browser = after(turn(QUESTION))
    one = turn(logged_in(), stored=user, anonymous={"visitor:ann": browser})

    assert one.write is not None
    [link] = one.write.links
    assert (link.anonymous_key, link.state_before, link.anonymous_state) == ("visitor:ann", user.state, browser.state)


def test_visits_are_summed_when_two_rows_are_linked_and_never_again() -> None:
    def known(total: int) -> Stored:
        before = NOW - timedelta(minutes=1)
        visits = {"today": 0, "thisWeek": 0, "total": total, "day": "2026-03-10", "week": "2026-W11"}
        return Stored(1, msgspec.json.encode({"lastSeenAt": before, "visits": visits, "version": 1}), before)

    first = turn(logged_in(), stored=known(4), anonymous={"visitor:ann": known(3)})
    second = turn(logged_in(), stored=after(first), anonymous={"visitor:ann": known(3)})

    assert state(first).visits.total == 7
    assert state(second).visits.total == 7
    assert second.write is not None
    assert second.write.links == []


def test_what_a_linked_browser_dismissed_later_is_taken_over_too() -> None:
    browser = turn(QUESTION)
    first = turn(logged_in(), anonymous={"visitor:ann": after(browser)})
    dismissed = turn(report("dismissed"), stored=after(browser))
    second = turn(logged_in(), stored=after(first), anonymous={"visitor:ann": after(dismissed)})

    assert state(second).campaigns["hello"].dismissed_at == NOW


def test_a_user_whose_browser_is_new_is_linked_to_it_from_the_first_call() -> None:
    """Somebody who logged in on a browser's first call was a stranger there after logging out."""
    one = turn(logged_in())
    again = turn(logged_in(), stored=after(one))

    assert one.write is not None
    assert again.write is not None
    assert [link.anonymous_state for link in one.write.links] == [None]
    assert again.write.links == []
    assert state(one).linked == state(again).linked == ("visitor:ann",)


def test_an_offer_is_not_answered_by_the_report_of_the_one_before_at_the_same_moment() -> None:
    """It once was: three tabs and a report in one batch were shown the same thing twice."""
    one = turn(QUESTION, report("shown"), QUESTION, QUESTION)

    assert [shown(answer) for answer in one.answers if isinstance(answer, bytes)] == [["hello"], ["hello"], []]
