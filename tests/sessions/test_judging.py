"""Which events are taken, as what, and for which reason the others are not."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from pulsekeeper.errors import Invalid
from pulsekeeper.sessions.fields import LONGEST_STRING, MOST_KEYS
from pulsekeeper.sessions.judging import Judge, Judged
from pulsekeeper.sessions.model import Reason, Refusal, Settings
from pulsekeeper.sessions.packing import Call, unpack
from pulsekeeper.sessions.records import Event

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
ID = "01a202f2-c8f1-7000-8000-00000000abcd"
JUDGE = Judge(Settings())
REFUSING = [Reason.BAD_ID, Reason.BAD_NAME, Reason.BAD_TIME, Reason.BAD_PROPS, Reason.PII_KEY, Reason.TOO_EARLY]
"""In the order in which they are looked for."""


def event(**members: Any) -> dict[str, Any]:
    return {"id": ID, "name": "story_opened", **members}


def raw(member: object) -> Raw:
    return unpack(json.dumps([member]).encode(), "application/json", "").members[0]


def judged(*members: object, sent_at: object = None, judge: Judge = JUDGE) -> Judged:
    raws = [Raw(each) if isinstance(each, bytes) else raw(each) for each in members]
    return judge(Call(None if sent_at is None else Raw(json.dumps(sent_at)), raws), NOW)


def accepted(member: object, sent_at: object = None) -> Event:
    verdict = judged(member, sent_at=sent_at)
    assert verdict.refusals == ()
    return verdict.events[0]


def reason(member: object, sent_at: object = None) -> Reason | None:
    verdict = judged(member, sent_at=sent_at)
    return verdict.refusals[0].reason if verdict.refusals else None


def ago(**length: float) -> str:
    return (NOW - timedelta(**length)).isoformat()


def test_an_event_is_taken_with_everything_that_it_says() -> None:
    given = event(name="storyOpened", at="2026-11-22T10:30:00.5+01:00", seq=7, props={"story": "Button", "n": 1})

    at = datetime(2026, 11, 22, 9, 30, 0, 500_000, tzinfo=UTC)
    assert accepted(given) == Event(UUID(ID), "story_opened", at, at, 7, b'{"n":1,"story":"Button"}', is_cut=False)


def test_an_event_needs_no_more_than_an_id_and_a_name() -> None:
    bare = Event(UUID(ID), "story_opened", NOW, None, None, None, is_cut=False)

    assert accepted(event()) == bare
    assert accepted(event(at=None, seq=None, props=None)) == bare
    assert accepted(event(props={})) == bare


def test_members_that_nobody_knows_are_ignored() -> None:
    assert accepted(event(url={"deep": [1, [2]]}, userId="x")) == accepted(event())


def test_good_events_are_taken_though_others_are_bad_and_each_keeps_its_place() -> None:
    verdict = judged(5, event(), event(name="-"), event(), b"no json")

    assert verdict.places == (1, 3)
    assert len(verdict.events) == 2
    assert verdict.refusals == (
        Refusal(0, None, Reason.BAD_ID),
        Refusal(2, ID, Reason.BAD_NAME),
        Refusal(4, None, Reason.BAD_ID),
    )


def test_the_handshakes_own_events_are_no_sign_that_anything_was_done() -> None:
    assert not judged(event(name="sessionStarted"), event(name="still_alive"), event(name="-")).acted
    assert judged(event(name="still_alive"), event()).acted
    assert not judged().acted


@pytest.mark.parametrize("text", [ID, ID.upper(), str(UUID(int=0))])
def test_an_id_is_a_uuid_of_any_version_and_case(text: str) -> None:
    assert accepted(event(id=text)).id == UUID(text)


@pytest.mark.parametrize(
    "value",
    ["", ID.replace("-", ""), "{" + ID[1:-1] + "}", ID + "0", "x" * 36, ID[:-1] + "\0", 5, None, [ID], "\ud800"],
)
def test_what_is_no_uuid_is_a_bad_id(value: object) -> None:
    assert reason(event(id=value)) == Reason.BAD_ID


def test_a_bad_id_is_told_to_the_client_as_far_as_it_can_be() -> None:
    long = "x" * 1_000_000

    assert judged(event(id=long)).refusals == (Refusal(0, long[:64], Reason.BAD_ID),)
    assert judged(event(id=5)).refusals == (Refusal(0, None, Reason.BAD_ID),)


@pytest.mark.parametrize(
    "member",
    [b"", b"{", b"null", b"[]", b"5", b'"x"', b"{'id': 1}", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"NaN"],
)
def test_what_is_no_object_has_no_id(member: bytes) -> None:
    assert judged(member).refusals == (Refusal(0, None, Reason.BAD_ID),)


@pytest.mark.parametrize("value", ["", "-", "1st", "x" * 61, "x" * 1_000_000, "a\0", None, 5, ["a"], "a\ud800"])
def test_what_is_no_name_is_a_bad_name(value: object) -> None:
    assert reason(event(name=value)) == Reason.BAD_NAME


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            "now",
            0,
            1e9,
            True,
            [],
            "2026-11-22",
            "2026-11-22T10:00:00",
            "2026-11-22 10:00:00",
            "2026-W47-7T10:00:00",
        ),
        *("0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-22T10:00:60Z", "NaN"),
        *("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-11-22T10:00:00+99:00", "1" * 100_000),
    ],
)
def test_what_is_no_moment_is_a_bad_time(value: object) -> None:
    assert reason(event(at=value)) == Reason.BAD_TIME
    assert reason(event(at=value, props={"a": []})) == Reason.BAD_TIME


@pytest.mark.parametrize(
    "text", ["2026-11-22T09:30:00Z", "2026-11-22t10:30:00+0100", "2026-11-22T09:30Z", "20261122T093000Z"]
)
def test_a_moment_may_be_written_in_the_ways_of_iso_8601(text: str) -> None:
    assert accepted(event(at=text)).raw_at == NOW - timedelta(minutes=30)


@pytest.mark.parametrize("value", [-1, 2**63, 10**400, 1.0, "1", True, []])
def test_what_is_no_place_in_a_session_is_a_bad_time(value: object) -> None:
    assert reason(event(seq=value)) == Reason.BAD_TIME


@pytest.mark.parametrize("value", [0, 2**63 - 1])
def test_places_in_a_session_go_as_far_as_the_database_counts(value: int) -> None:
    assert accepted(event(seq=value)).seq == value


@pytest.mark.parametrize(
    "props",
    [
        *([], "x", 5, True, {"a": {}}, {"a": []}, {"": 1}, {"k" * 41: 1}, {f"k{each}": 1 for each in range(41)}),
        *({"a": 2**63}, {"a": -(2**63) - 1}, {"a": "\0"}, {"a\0": 1}, {"a": "\ud83d"}, {"\ude00": 1}),
        *({f"k{each}": each for each in range(10_000)}, {"a": "x" * 600 + "\0"}),
    ],
)
def test_properties_are_few_scalars_that_can_be_stored(props: object) -> None:
    assert reason(event(props=props)) == Reason.BAD_PROPS


@pytest.mark.parametrize(
    "props",
    [b'{"a":1e400}', b'{"a":"\xff"}', b'{"\xff":1}', b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"],
    ids=["no float", "no text", "no key", "deep"],
)
def test_what_can_only_be_written_in_bytes_is_refused_as_well(props: bytes) -> None:
    member = b'{"id":"%s","name":"a","props":%s}' % (ID.encode(), props)

    assert reason(member) in {Reason.BAD_PROPS, Reason.BAD_ID}  # what is nested too deeply cannot be taken apart


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none_are_no_json(number: str) -> None:
    assert reason(json.dumps(event(props={"a": float(number)})).encode()) == Reason.BAD_ID


def test_properties_are_taken_up_to_their_limits() -> None:
    props = {f"{each:040}": each for each in range(MOST_KEYS)}
    odd = {"a": 2**63 - 1, "b": -(2**63), "c": 1.5, "d": True, "e": None, "f": "\\u0000", "ö": "\N{GRINNING FACE}"}

    assert json.loads(accepted(event(props=props)).props or b"") == props
    assert json.loads(accepted(event(props=odd)).props or b"") == odd


def test_a_long_string_is_cut_and_that_is_said() -> None:
    whole, cut = (accepted(event(props={"a": "ö" * length, "b": 1})) for length in (512, 600))

    assert (whole.props, whole.is_cut) == (cut.props, False)
    assert cut.is_cut
    assert json.loads(cut.props or b"") == {"a": "ö" * LONGEST_STRING, "b": 1}


def test_properties_are_stored_in_one_form() -> None:
    spaced = b'{"id":"%s","name":"a","props":{ "b" : "\\u0041", "a": 1, "b": "B" }}' % ID.encode()

    assert accepted(spaced).props == b'{"a":1,"b":"B"}'


def test_of_a_key_that_is_given_twice_the_last_one_counts() -> None:
    member = b'{"id":5,"id":"%s","name":"-","name":"a","props":{"x":2,"x":1}}' % ID.encode()

    assert accepted(member).props == b'{"x":1}'


@pytest.mark.parametrize(
    "key", ["email", "E-Mail", "user.id", "User_ID", "IP", "".join(chr(ord(c) + 0xFEE0) for c in "ip")]
)
@pytest.mark.parametrize("value", ["x", None, "x" * 600])
def test_a_property_that_is_called_like_a_person_is_refused_however_it_is_written(key: str, value: object) -> None:
    assert reason(event(props={"zip": 1, key: value})) == Reason.PII_KEY


def test_the_list_of_denied_properties_is_the_operators() -> None:
    judge = Judge(Settings(denied_properties=("Customer-No",)))

    assert judged(event(props={"customer_no": 1}), judge=judge).refusals[0].reason == Reason.PII_KEY
    assert judged(event(props={"email": 1}), judge=judge).refusals == ()


def test_an_event_is_taken_for_seven_days_and_not_a_moment_longer() -> None:
    assert accepted(event(at=ago(days=7))).at == NOW - timedelta(days=7)
    assert accepted(event(at=ago(days=7), props={"text": "x" * 513})).at == NOW - timedelta(days=7)  # looked at twice
    assert reason(event(at=ago(days=7, microseconds=1))) == Reason.TOO_EARLY
    assert reason(event(at="0001-01-01T00:00:00Z")) == Reason.TOO_EARLY
    assert reason(event(at="0001-01-01T00:00:00Z"), sent_at=ago(hours=-22)) == Reason.TOO_EARLY


def test_nothing_happens_in_the_future() -> None:
    for at in (ago(seconds=-1), "9999-12-31T23:59:59Z"):
        for sent_at in (None, ago(hours=22), ago(hours=-22)):
            assert accepted(event(at=at), sent_at=sent_at).at <= NOW


@pytest.mark.parametrize("skew", [-22.9, -1, 0, 1, 22.9])
def test_a_clock_that_is_wrong_by_less_than_23_hours_is_corrected(skew: float) -> None:
    """What happened ten minutes before it was sent, by the same clock, happened ten minutes before its receipt."""
    found = accepted(event(at=ago(hours=skew, minutes=10)), sent_at=ago(hours=skew))

    assert found.at == NOW - timedelta(minutes=10)
    assert found.raw_at == NOW - timedelta(hours=skew, minutes=10)


@pytest.mark.parametrize("skew", [23, 24, 10_000])
def test_a_clock_that_is_further_off_is_taken_at_its_word(skew: float) -> None:
    """By a clock that is late the event would be corrected to the future of its own time, and nothing says by what."""
    assert accepted(event(at=ago(minutes=10)), sent_at=ago(hours=skew)).at == NOW - timedelta(minutes=10)
    assert accepted(event(at=ago(minutes=10)), sent_at=ago(hours=-skew)).at == NOW - timedelta(minutes=10)


def test_an_event_without_a_time_happened_at_its_receipt() -> None:
    assert accepted(event(), sent_at=ago(hours=1)).at == NOW


@pytest.mark.parametrize("sent_at", ["", "now", 5, [], "2026-11-22T10:00:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_of_sending_that_cannot_be_read_is_the_whole_calls_fault(sent_at: object) -> None:
    with pytest.raises(Invalid) as refused:
        judged(event(), sent_at=sent_at)
    assert [fault.pointer for fault in refused.value.faults] == ["/sentAt"]


@given(st.sets(st.sampled_from(REFUSING), min_size=1))
def test_of_all_that_is_wrong_the_first_reason_is_told(wrong: set[Reason]) -> None:
    props: dict[str, object] = {"a": [] if Reason.BAD_PROPS in wrong else 1} | (
        {"email": 1} if Reason.PII_KEY in wrong else {}
    )
    at = "?" if Reason.BAD_TIME in wrong else ago(days=8) if Reason.TOO_EARLY in wrong else ago(days=1)
    member = event(
        **{"id": "?"} if Reason.BAD_ID in wrong else {},
        **{"name": "?"} if Reason.BAD_NAME in wrong else {},
        at=at,
        props=props,
    )

    assert reason(member) == min(wrong, key=REFUSING.index)


strings = st.text(st.characters())  # halves of characters, too
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | strings
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strings, inner, max_size=3))
ids = st.uuids().map(str)
names = st.from_regex(r"[a-z][A-Za-z0-9_.]{0,70}", fullmatch=True)
times = st.datetimes(timezones=st.timezones()).map(datetime.isoformat)
near = st.floats(-200, 200).map(lambda hours: ago(hours=hours))
properties = st.dictionaries(strings.map(lambda text: text[:45]), scalars | st.text("\0a", min_size=500, max_size=520))
events = st.fixed_dictionaries(
    {"id": ids | values, "name": names | values},
    optional={
        "at": near | times | values,
        "seq": st.integers(-1, 2**64) | values,
        "props": properties | values,
        "other": values,
    },
)


@given(st.lists(events | values, max_size=4), st.none() | near)
@example([event(props={"a": "\\u0000"})], None)
@example([event(at="0001-01-01T00:00:00Z")], ago(hours=22))
def test_any_json_gets_a_verdict_and_what_is_accepted_can_be_stored(members: list[object], sent_at: str | None) -> None:
    verdict = judged(*members, sent_at=sent_at)

    assert sorted([*verdict.places, *(each.index for each in verdict.refusals)]) == list(range(len(members)))
    assert len(verdict.events) == len(verdict.places)
    for taken in verdict.events:
        assert NOW - Settings().early <= taken.at <= NOW
        assert {taken.at.tzinfo, UTC if taken.raw_at is None else taken.raw_at.tzinfo} == {UTC}
        assert len(taken.name) <= 60
        assert taken.props != b"{}"
        props: dict[str, object] = json.loads((taken.props or b"{}").decode())
        texts = [*props, *(value for value in props.values() if isinstance(value, str))]
        assert len(props) <= MOST_KEYS
        assert all("\0" not in text and len(text) <= LONGEST_STRING for text in texts)
    msgspec.json.encode(verdict.refusals)


@given(st.binary(max_size=60))
def test_any_bytes_get_a_verdict(member: bytes) -> None:
    assert len(judged(member).refusals) == 1


@given(events, near)
def test_the_quick_reading_takes_nothing_that_the_careful_one_would_not_take(
    member: dict[str, object], reference: str
) -> None:
    moment = datetime.fromisoformat(reference)
    quick = JUDGE._quickly(raw(member), NOW, moment)

    assert quick is None or quick == JUDGE._carefully(raw(member), NOW, moment, 0)


@pytest.mark.parametrize("member", [event(), event(at=ago(days=1), seq=1, props={"story": "Button", "n": 1.5})])
def test_usual_events_are_read_quickly(member: dict[str, object]) -> None:
    assert JUDGE._quickly(raw(member), NOW, NOW) is not None
