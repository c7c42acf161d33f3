"""What a request may hold, and how states and replies are written."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.decisions.rules.model import (
    CampaignState,
    DecideReply,
    DecideRequest,
    Policy,
    ReleaseStatus,
    Settings,
    Verdict,
    VisitorState,
)

_decoder = msgspec.json.Decoder(DecideRequest)


def decoded(**members: object) -> DecideRequest:
    return _decoder.decode(msgspec.json.encode({"releaseId": "1", **members}))


def test_only_the_release_is_needed() -> None:
    assert decoded() == DecideRequest(release_id="1")


def test_keys_that_nobody_knows_are_ignored() -> None:
    assert decoded(screenWidth=1024) == DecideRequest(release_id="1")


def test_an_offset_of_zero_is_kept() -> None:
    assert decoded(timezoneOffset=0).timezone_offset == 0


@pytest.mark.parametrize(
    "members",
    [
        {"releaseId": ""},
        {"releaseId": "x" * 65},
        {"releaseId": 2025},
        {"releaseId": None},
        {"featureFlags": ["x"] * 65},
        {"featureFlags": ["x" * 65]},
        {"featureFlags": "x"},
        {"timezone": "x" * 65},
        {"timezoneOffset": 1081},
        {"timezoneOffset": -1081},
        {"timezoneOffset": "0"},
        {"lastClientActionAt": "2025-10-10T17:20:00"},
        {"lastClientActionAt": 1760116800},
        {"visitorId": "short"},
        {"visitorId": "x" * 65},
        {"visitorId": "with space"},
        {"visitorId": "abcdefgh\n"},
        {"attributes": {str(number): 1 for number in range(33)}},
        {"attributes": {"x" * 65: 1}},
        {"attributes": {"__proto__": 1}},
        {"attributes": {"": 1}},
        {"attributes": {"x": "y" * 257}},
        {"attributes": {"x": ["y"] * 65}},
        {"attributes": {"x": [1]}},
        {"attributes": {"x": {}}},
        {"attributes": {"x": 2**53 + 1}},
    ],
)
def test_everything_is_bounded(members: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decoded(**members)


@pytest.mark.parametrize("value", ["text", "", 1, -1, 1.5, True, [], ["a", "b"]])
def test_an_attribute_is_a_plain_value_or_a_list_of_texts(value: object) -> None:
    attributes = decoded(attributes={"x": value}).attributes
    assert msgspec.to_builtins(attributes) == {"x": tuple(value) if isinstance(value, list) else value}


def test_a_plain_reply_says_nothing_that_it_need_not() -> None:
    reply = DecideReply(
        decision_id="0193",
        release_status=ReleaseStatus(latest_release_id=None, already_seen=False),
        decisions=(),
        next_check_in_seconds=3600,
    )
    assert msgspec.to_builtins(reply) == {
        "decisionId": "0193",
        "releaseStatus": {"latestReleaseId": None, "alreadySeen": False},
        "decisions": (),
        "nextCheckInSeconds": 3600,
    }
    fuller = msgspec.structs.replace(
        reply, degraded=True, evaluated=(Verdict(campaign_id="a", verdict="refused", reason="over"),)
    )
    assert msgspec.to_builtins(fuller)["degraded"] is True
    assert msgspec.to_builtins(fuller)["evaluated"] == ({"campaignId": "a", "verdict": "refused", "reason": "over"},)


def test_the_policy_is_the_part_of_the_settings_that_changes_answers() -> None:
    assert Settings().policy() == Policy()
    changed = msgspec.structs.replace(Settings(), visit_gap=Settings().cooldown, quiet_after=9)
    assert changed.policy() == Policy(visit_gap=timedelta(hours=24), quiet_after=9)


_moments = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001  # the zone is added at once
_campaign_states = st.builds(
    CampaignState,
    offers=st.integers(0, 9),
    last_offered_at=st.none() | _moments,
    shown_at=st.lists(_moments, max_size=3).map(tuple),
    acknowledged_at=st.none() | _moments,
    dismissed_at=st.none() | _moments,
)


@given(
    st.builds(
        VisitorState,
        first_seen_at=st.none() | _moments,
        last_seen_at=_moments,
        last_release_seen=st.none() | st.text("0123456789.", min_size=1, max_size=9),
        campaigns=st.dictionaries(st.text(max_size=9), _campaign_states, max_size=3),
        linked=st.lists(st.text(max_size=9), max_size=2).map(tuple),
        attributes=st.dictionaries(
            st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,11}", fullmatch=True),
            st.text(max_size=9) | st.booleans() | st.integers(-9, 9),
            max_size=3,
        ),
        version=st.integers(0, 9),
    )
)
def test_a_state_survives_being_written_and_read(state: VisitorState) -> None:
    assert msgspec.json.decode(msgspec.json.encode(state), type=VisitorState) == state
