"""Trying rules out without touching anyone."""

import msgspec
import pytest

from pulsekeeper.decisions.rules.model import SimulateReply, SimulateRequest, VisitorState
from pulsekeeper.decisions.rules.simulate import simulate
from pulsekeeper.errors import Invalid
from tests.support.rules import DAY, NOW, book_of, campaign, seen

STORED = book_of(campaign("stored", trigger={"minDaysSinceLastSeen": 30}))


def tried(stored: VisitorState | None = None, /, **members: object) -> SimulateReply:
    """Simulate, with `STORED` and the state `stored` as what is stored. The members are JSON."""
    body = msgspec.json.encode({"request": {"releaseId": "2025.10.1"}, "now": NOW, **members})
    return simulate(msgspec.json.decode(body, type=SimulateRequest), STORED, stored, NOW)


def refused(**members: object) -> list[str]:
    with pytest.raises(Invalid) as caught:
        tried(None, **members)
    return [fault.pointer for fault in caught.value.faults]


def test_null_means_what_is_stored() -> None:
    reply = tried(seen(40 * DAY), campaigns=None, releases=None, state=None)
    assert [decision.campaign_id for decision in reply.decisions] == ["stored"]
    assert reply.state_after.campaigns["stored"].offers == 1


def test_the_moment_is_the_present_unless_it_is_said() -> None:
    assert tried(now=None).state_after.last_seen_at == NOW
    assert tried(now="2025-12-24T18:00:00+01:00").state_after.last_seen_at.isoformat() == "2025-12-24T17:00:00+00:00"


def test_a_state_of_one_s_own_takes_the_place_of_the_stored_one() -> None:
    state = {"lastSeenAt": NOW - 31 * DAY, "visits": {"total": 3}}
    reply = tried(seen(DAY), state=state)
    assert [decision.reason for decision in reply.decisions] == [("returning_after_30_days",)]
    assert reply.state_after.visits.total == 4


def test_campaigns_and_releases_of_one_s_own_take_the_place_of_the_stored_ones() -> None:
    campaigns = [{"id": "mine", "type": "release", "action": "SHOW_DIALOG", "trigger": {"releaseId": "2025.10.1"}}]
    releases = [{"id": "2025.10.1", "releasedAt": NOW - 20 * DAY}]
    reply = tried(seen(DAY), campaigns=campaigns, releases=releases)
    assert [(verdict.campaign_id, verdict.reason) for verdict in reply.evaluated] == [("mine", "release_unseen")]
    assert tried(seen(DAY), campaigns=[]).evaluated == ()


def test_the_policy_is_the_one_in_force() -> None:
    campaigns = [{"id": "mine", "type": "survey", "action": "SHOW_DIALOG"}]
    state = {"lastSeenAt": NOW - DAY, "campaigns": {"other": {"offers": 1, "shownAt": [NOW - DAY / 2]}}}
    (verdict,) = tried(campaigns=campaigns, state=state).evaluated
    assert (verdict.verdict, verdict.reason) == ("refused", "cooldown")


@pytest.mark.parametrize(
    ("person", "authenticated", "roles", "expected"),
    [
        ("visitor:abc", False, [], "needs_auth"),
        ("user:u-1", False, ["organizer"], "needs_auth"),
        ("user:u-1", True, [], "segment"),
        ("user:u-1", True, ["organizer"], "first_visit"),
        ("ip:abc", True, ["organizer"], "personal_identity"),
    ],
)
def test_the_person_is_who_one_says(person: str, authenticated: bool, roles: list[str], expected: str) -> None:
    trigger = {"requireAuth": True, "segment": {"roles": ["organizer"]}}
    campaigns = [{"id": "mine", "type": "survey", "action": "A", "personal": True, "trigger": trigger}]
    (verdict,) = tried(campaigns=campaigns, person=person, authenticated=authenticated, roles=roles).evaluated
    assert verdict.reason == expected


def test_everything_that_is_wrong_is_said_at_once() -> None:
    mine = {"id": "mine", "type": "survey", "action": "A"}
    broken = mine | {"trigger": {"when": "nope"}}
    assert refused(campaigns=[mine, broken], now="0001-01-01T00:00:00Z") == [
        "/campaigns/1/trigger/when",
        "/campaigns/1/id",
        "/now",
    ]


@pytest.mark.parametrize("person", ["abc", "visitor:", "robot:abc", ":abc", "user"])
def test_a_person_key_says_what_it_is(person: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="person"):
        tried(person=person)


def test_the_reply_is_written_as_the_interface_says() -> None:
    reply = msgspec.json.decode(msgspec.json.encode(tried()))
    assert set(reply) == {"decisions", "evaluated", "stateAfter", "nextCheckInSeconds"}
    assert reply["evaluated"] == [{"campaignId": "stored", "verdict": "refused", "reason": "too_recent"}]
    assert set(reply["stateAfter"]) == {
        "firstSeenAt", "lastSeenAt", "visits", "lastReleaseSeen", "lastReleaseVisited", "campaigns", "linked",
        "attributes", "version",
    }  # fmt: skip
