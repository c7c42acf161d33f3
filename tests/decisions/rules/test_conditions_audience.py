"""The rules about who is asking, at their edges: identity, segment and feature flags."""

import pytest

from pulsekeeper.decisions.rules.people import Person
from tests.support.rules import ADDRESS, USER, VISITOR, call, campaign, reason


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
