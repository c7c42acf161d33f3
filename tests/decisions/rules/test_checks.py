"""Which campaigns are refused, and what is said about them."""

import pytest

from pulsekeeper.decisions.rulebook.reading import read_campaign, read_campaigns
from pulsekeeper.decisions.rules.campaigns import Campaign
from pulsekeeper.decisions.rules.checks import check, check_all
from pulsekeeper.errors import Invalid

GOOD: dict[str, object] = {"id": "hello", "type": "release", "action": "SHOW_DIALOG"}


def faults(document: object) -> dict[str, str]:
    """The details by their pointers."""
    with pytest.raises(Invalid) as caught:
        read_campaign(document)
    return {fault.pointer: fault.detail for fault in caught.value.faults}


def test_little_is_needed() -> None:
    assert read_campaign(GOOD) == Campaign(id="hello", type="release", action="SHOW_DIALOG")


def test_everything_that_there_is_can_be_said() -> None:
    document = {
        **GOOD,
        "priority": 50,
        "active": True,
        "validFrom": "2025-10-01T00:00:00Z",
        "validTo": "2025-12-01T00:00:00Z",
        "group": "announcements",
        "trigger": {
            "releaseId": "2025.10.1", "minDaysSinceLastSeen": 30, "maxDaysSinceLastSeen": 400, "minVisits": 1,
            "maxVisits": 100, "maxVisitsToday": 5, "requireAuth": False, "featureFlags": ["a"],
            "segment": {"roles": ["organizer"], "regions": ["US"], "deviceType": ["mobile"]}, "when": "true",
        },
        "rollout": {"percent": 25.0, "salt": "s"},
        "frequency": {
            "lifetime": 1, "offers": 3, "untilAcknowledged": True,
            "caps": [{"cap": 2, "period": "P1D", "clock": "rolling"}, {"cap": 2, "period": "P1W", "clock": "calendar"}],
        },
        "exempt": {"cooldown": False, "quiet": False},
        "together": False,
        "personal": False,
        "messagePayload": {"title": "…", "cta": {"label": "…", "url": "/releases"}, "severity": "info"},
    }  # fmt: skip
    assert check(read_campaign(document)) == []


@pytest.mark.parametrize(
    ("members", "pointer", "words"),
    [
        ({"validFrom": "2025-10-02T00:00:00Z", "validTo": "2025-10-02T00:00:00Z"}, "/validTo", "later than validFrom"),
        ({"validFrom": "2025-10-02T00:00:00Z", "validTo": "2025-10-02T01:00:00+02:00"}, "/validTo", "later"),
        ({"validFrom": "2025-10-02T00:00:00"}, "/validFrom", ""),
        ({"validFrom": "0001-01-01T00:00:00+14:00"}, "/validFrom", "outside of the years 1970 to 9000"),
        ({"validTo": "9999-12-31T23:59:59-14:00"}, "/validTo", "outside of the years 1970 to 9000"),
        ({"rollout": {"percent": 100.01}}, "/rollout/percent", "100"),
        ({"rollout": {"percent": -1}}, "/rollout/percent", "0"),
        ({"trigger": {"minVisits": 3, "maxVisits": 2}}, "/trigger/minVisits", "3 is more than the maximum 2"),
        ({"trigger": {"minDaysSinceLastSeen": 9, "maxDaysSinceLastSeen": 8}}, "/trigger/minDaysSinceLastSeen", "9"),
        ({"trigger": {"when": "visits.total >"}}, "/trigger/when", "does not compile"),
        ({"trigger": {"when": "visit.total > 1"}}, "/trigger/when", "unknown variable 'visit'"),
        ({"trigger": {"when": ""}}, "/trigger/when", "character"),
        ({"trigger": {"when": "true ||" * 200 + "true"}}, "/trigger/when", "1024"),
        ({"frequency": {"caps": [{"cap": 0, "period": "P1D"}]}}, "/frequency/caps/0/cap", "1"),
        ({"frequency": {"caps": [{"cap": -1, "period": "P1D"}]}}, "/frequency/caps/0/cap", "1"),
        ({"frequency": {"caps": [{"cap": 1, "period": "PT0S"}]}}, "/frequency/caps/0/period", "longer than nothing"),
        ({"frequency": {"caps": [{"cap": 1, "period": "P1M"}]}}, "/frequency/caps/0/period", "duration"),
        (
            {"frequency": {"caps": [{"cap": 1, "period": "P2D", "clock": "calendar"}]}},
            "/frequency/caps/0/period",
            "P1D, P1W",
        ),
        ({"frequency": {"lifetime": 0}}, "/frequency/lifetime", "1"),
        ({"messagePayload": {"body": "x" * 16_384}}, "/messagePayload", "16384"),
        ({"messagePayload": {"a/b": [1, {"__proto__": 1}]}}, "/messagePayload/a~1b/1/__proto__", "not safe"),
        ({"trigger": {"segment": {"regions": ["US", "US-*"]}}}, "/trigger/segment/regions/1", "compared exactly"),
        ({"id": "Hello"}, "/id", ""),
        ({"id": "hello\n"}, "/id", ""),
        ({"id": "-hello"}, "/id", ""),
        ({"id": "x" * 65}, "/id", ""),
        ({"action": "show"}, "/action", ""),
        ({"action": "SHOW_DIALOG\n"}, "/action", ""),
        ({"type": "advert"}, "/type", "reengagement"),
        ({"prioritty": 3}, "/prioritty", "priority"),
        ({"trigger": {"minvisits": 3}}, "/trigger/minvisits", "minVisits"),
    ],
)
def test_it_is_refused_with_the_place(members: dict[str, object], pointer: str, words: str) -> None:
    found = faults(GOOD | members)
    assert list(found) == [pointer]
    assert words in found[pointer]


def test_a_payload_may_have_exactly_16_kib() -> None:
    assert read_campaign(GOOD | {"messagePayload": {"b": "x" * (16_384 - 8)}})
    assert faults(GOOD | {"messagePayload": {"b": "x" * (16_384 - 7)}})


def test_all_faults_are_said_at_once_of_whatever_sort() -> None:
    found = faults(
        {
            "id": "Not A Slug",
            "colour": "red",
            "validFrom": "2025-10-02T00:00:00Z",
            "validTo": "2025-10-01T00:00:00Z",
            "rollout": {"percent": 150},
            "trigger": {"minVisits": 2, "maxVisits": 1, "when": "nope", "featureFlags": [7]},
            "frequency": {"caps": [{"cap": 0, "period": "P1D"}]},
            "messagePayload": {"body": "x" * 20_000},
        }
    )
    assert set(found) == {
        "/id",
        "/type",
        "/action",
        "/colour",
        "/validTo",
        "/rollout/percent",
        "/trigger/minVisits",
        "/trigger/when",
        "/trigger/featureFlags/0",
        "/frequency/caps/0/cap",
        "/messagePayload",
    }


@pytest.mark.parametrize("document", [None, [], "campaign", 7, {}, {"id": None}, {"trigger": []}, {"a/b~c": {"~": 1}}])
def test_whatever_is_no_campaign_is_refused_in_words(document: object) -> None:
    assert all(faults(document).values())


def test_a_list_has_its_places_in_the_pointers() -> None:
    with pytest.raises(Invalid) as caught:
        read_campaigns([GOOD, GOOD | {"id": "other", "rollout": {"percent": 101}}, GOOD, 7])
    assert [fault.pointer for fault in caught.value.faults] == ["/1/rollout/percent", "/3", "/2/id"]
    assert "campaign 0" in caught.value.faults[-1].detail


def test_a_good_list_is_read() -> None:
    assert [each.id for each in read_campaigns([GOOD, GOOD | {"id": "other"}])] == ["hello", "other"]


def test_a_list_that_was_already_read_is_checked_alike() -> None:
    backwards = read_campaign(GOOD | {"validFrom": "2025-10-01T00:00:00Z"})
    from_python = Campaign(
        id="hello", type="release", action="A", valid_from=backwards.valid_from, valid_to=backwards.valid_from
    )
    assert [fault.pointer for fault in check_all([backwards, from_python])] == ["/1/validTo", "/1/id"]
