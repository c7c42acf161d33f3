"""The routes, with a real recorder and a real database behind them."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest
import trio

from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.key_store import SigningKeyStore
from pulsekeeper.sessions.model import MOST_BYTES, IngestReply, StartReply
from pulsekeeper.sessions.records import Claims
from pulsekeeper.sessions.tokens import SigningKey, key_id, sign
from tests.support.sessions_door import NOON, Answer, Door, event, open_door, open_doors, settings
from tests.support.waiting import until_running

SPEAKING = "%hear_sessions(%"
EVERY_CALL = ["still-alive", "end-session", "ingest", "withdraw"]


@pytest.fixture
async def door(database: Database) -> AsyncIterator[Door]:
    async with open_door(database) as door:
        yield door


async def test_a_start_is_committed_with_the_consent(door: Door) -> None:
    answer = await door.post(
        "start-session",
        json={"consentVersion": "2026-11", "appVersion": "8.6", "platform": "web", "timezone": "Europe/Berlin"},
    )
    reply = answer.read(StartReply)
    assert (answer.status, reply.still_alive_seconds, reply.timeout_seconds) == (201, 300, 3600)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["RateLimit-Policy"] == '"address";q=10000;w=60'
    assert (reply.session_id.version, reply.installation_id.version) == (7, 4)
    assert await door.value("select consented_at from installations where consent_version = '2026-11'") == NOON
    stored = "select array[installation_id::text, app_version, platform, timezone] from sessions where id = :id"
    assert await door.value(stored, id=reply.session_id) == [
        str(reply.installation_id),
        "8.6",
        "web",
        "Europe/Berlin",
    ]


async def test_a_start_by_get_and_one_by_an_empty_post_are_read_from_the_query(door: Door) -> None:
    first = await door.start()
    query = f"start-session?installationId={first.installation_id}&replace=1&appVersion=8.6&color=red"
    by_get = (await door.ask("GET", query)).read(StartReply)
    by_post = (await door.post(query)).read(StartReply)
    assert {first.installation_id, by_get.installation_id, by_post.installation_id} == {first.installation_id}
    ended = "select end_reason from sessions where id = :id"
    assert [await door.value(ended, id=one.session_id) for one in (first, by_get, by_post)] == [
        "replaced",
        "replaced",
        None,
    ]


async def test_a_beacons_text_is_read_as_json(door: Door) -> None:
    answer = await door.post("start-session", data=b'{"platform": "web"}', headers={"Content-Type": "text/plain"})
    assert answer.status == 201


async def test_a_refusal_in_the_query_counts_beside_a_body_as_well(door: Door) -> None:
    answer = await door.post("start-session?consent=false", json={"platform": "web"})
    assert (answer.status, answer.code) == (403, "consent_required")
    assert await door.stored() == (0, 0, 0)


@pytest.mark.parametrize("said", ["?consent=false", "?consent=0"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_without_consent_nothing_is_stored(door: Door, method: str, said: str) -> None:
    answer = await door.ask(method, f"start-session{said}")
    assert (answer.status, answer.code) == (403, "consent_required")
    assert await door.stored() == (0, 0, 0)


MADE_UP = ["nonsense", "", "{4b1c1f63-9a3b-4b8c-8a4e-2f3f6f0f4c0a}", str(UUID(int=7)), "x" * 10_000, 7, ["a"], {}]


@pytest.mark.parametrize("claimed", MADE_UP, ids=range(len(MADE_UP)))
async def test_an_installation_cannot_be_invented(door: Door, claimed: object) -> None:
    reply = await door.start(installationId=claimed)
    assert reply.installation_id.version == 4
    assert str(reply.installation_id) != str(claimed).strip("{}")


async def test_a_zone_that_nobody_knows_is_not_stored(door: Door) -> None:
    await door.start(timezone="Mars/Olympus")
    assert await door.value("select timezone from sessions") is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"platform": "x" * 65}, "/platform"),
        ({"platform": "a\nb"}, "/platform"),
        ({"appVersion": "a\0b"}, "/appVersion"),
        ({"consent": "yes"}, "/consent"),
    ],
)
async def test_what_cannot_be_meant_is_refused(door: Door, body: object, pointer: str) -> None:
    answer = await door.post("start-session", json=body)
    assert answer.status == 400
    assert [fault["pointer"] for fault in msgspec.json.decode(answer.body)["errors"]] == [pointer]
    assert await door.stored() == (0, 0, 0)


@pytest.mark.parametrize("path", ["start-session", "still-alive", "end-session"])
async def test_a_head_changes_nothing(door: Door, path: str) -> None:
    """It was answered like a `GET`, which begins and ends sessions here."""
    session = await door.start()
    answer = await door.ask("HEAD", path, session.token)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, OPTIONS, POST")
    assert await door.stored() == (1, 1, 0)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_sign_of_life_is_committed(door: Door, method: str) -> None:
    session = await door.start()
    door.later(minutes=5)
    answer = await door.ask(method, "still-alive", session.token)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["RateLimit-Policy"] == '"session";q=10000;w=1'
    assert await door.value("select last_seen_at from sessions") == NOON + timedelta(minutes=5)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_session_is_ended_once_and_stays_so(door: Door, method: str) -> None:
    session = await door.start()
    for _ in range(2):
        door.later(minutes=1)
        assert (await door.ask(method, "end-session", session.token)).status == 204
    assert await door.value("select ended_at from sessions") == NOON + timedelta(minutes=1)
    assert await door.value("select end_reason from sessions") == "explicit"


async def test_who_comes_back_too_late_is_told_to_start_again(door: Door) -> None:
    session = await door.start()
    door.later(hours=1, microseconds=1)
    answer = await door.post("still-alive", session.token)
    assert (answer.status, answer.code) == (409, "session_ended")
    assert await door.value("select ended_at from sessions") == NOON
    assert (await door.post("end-session", session.token)).status == 204


async def test_a_call_without_a_token_is_told_how_to_send_it(door: Door) -> None:
    for path in EVERY_CALL:
        answer = await door.post(path)
        assert (answer.status, answer.code, answer.headers["WWW-Authenticate"]) == (401, "token_missing", "Bearer")


async def test_the_token_comes_in_any_of_three_ways(door: Door) -> None:
    token = (await door.start()).token
    assert (await door.post("still-alive", headers={"Authorization": f"Bearer {token}"})).status == 204
    assert (await door.post("still-alive", token)).status == 204
    assert (await door.post(f"still-alive?token={token}")).status == 204
    assert (await door.post(f"still-alive?token={token[:-1]}A", token)).status == 400


async def test_tokens_that_are_not_ours_are_refused_with_the_reason(door: Door) -> None:
    token = (await door.start()).token
    forged = token[:80] + ("A" if token[80] != "A" else "B") + token[81:]
    bad = {token[:-1]: "malformed", token + "A": "malformed", "": "missing", "ü": "malformed", forged: "forged"}
    for path in EVERY_CALL:
        for wrong, reason in bad.items():
            answer = await door.post(path, wrong)
            assert (answer.status, answer.code) == (401, f"token_{reason}"), wrong
    assert await door.value("select last_seen_at from sessions") == NOON


async def test_a_token_under_a_key_that_nobody_knows_is_refused(door: Door) -> None:
    session = await door.start()
    known = key_id(session.token) or 0
    claims = Claims(session.installation_id, session.session_id, NOON)
    for number, reason in {known: "token_forged", known + 2: "token_unknown_key"}.items():
        answer = await door.post("still-alive", sign(claims, SigningKey(number, b"x" * 32)))
        assert (answer.status, answer.code) == (401, reason)


@pytest.mark.parametrize(
    ("path", "hours"), [("still-alive", 24), ("end-session", 24), ("ingest", 48), ("withdraw", 48)]
)
async def test_a_token_expires(door: Door, path: str, hours: int) -> None:
    session = await door.start()
    door.later(hours=hours)
    assert (await door.post(path, session.token, json=[])).status != 401
    door.later(microseconds=1)
    answer = await door.post(path, session.token, json=[])
    assert (answer.status, answer.code) == (401, "token_expired")


async def test_a_token_speaks_for_its_own_session_alone(door: Door) -> None:
    """Nothing else in a call says whose it is, so there is nothing that could be swapped."""
    ann, bob = await door.start(), await door.start()
    body = {"sessionId": str(bob.session_id), "installationId": str(bob.installation_id), "events": [event()]}
    await door.post("ingest", ann.token, json=body)
    await door.post(f"end-session?sessionId={bob.session_id}", ann.token)
    assert await door.value("select array_agg(session_id) from events") == [ann.session_id]
    assert await door.value("select ended_at from sessions where id = :id", id=bob.session_id) is None


async def test_a_restart_keeps_tokens_valid(database: Database) -> None:
    async with open_door(database) as before:
        token = (await before.start()).token
    async with open_door(database) as after:
        assert (await after.post("still-alive", token)).status == 204


async def test_a_token_of_one_node_is_believed_on_another_also_right_after_a_rotation(database: Database) -> None:
    async with open_doors(database, database) as (one, other):
        old = (await one.start()).token
        assert (await other.post("still-alive", old)).status == 204
        await SigningKeyStore(database).rotate(b"r" * 32, NOON, timedelta())
        async with open_door(database) as fresh:
            new = (await fresh.start()).token
            for node in (one, other, fresh):
                assert [(await node.post("still-alive", token)).status for token in (old, new)] == [204, 204]


async def test_events_are_stored_once_however_often_they_are_sent(door: Door) -> None:
    session = await door.start()
    events = [event(), event(name="storyClosed", props={"story": "Button"})]
    assert await door.ingest(session.token, *events) == IngestReply(accepted=2, duplicates=0, rejected=())
    assert await door.ingest(session.token, *events) == IngestReply(accepted=0, duplicates=2, rejected=())
    assert await door.stored() == (1, 1, 2)


async def test_good_events_are_stored_beside_bad_ones(door: Door) -> None:
    session = await door.start()
    reply = await door.ingest(session.token, event("x"), event(), event(name="1"), event(props={"E-Mail": "a@b"}))
    assert reply.accepted == 1
    assert [(one.index, one.reason) for one in reply.rejected] == [(0, "bad_id"), (2, "bad_name"), (3, "pii_key")]


async def test_events_that_are_all_bad_are_refused_and_still_a_sign_of_life(door: Door) -> None:
    session = await door.start()
    door.later(minutes=5)
    answer = await door.post("ingest", session.token, json=[event(name="")] * 3)
    reply = answer.read(IngestReply)
    assert (answer.status, len(reply.rejected), answer.headers["Content-Type"]) == (400, 3, "application/json")
    assert await door.value("select last_seen_at from sessions") == NOON + timedelta(minutes=5)


async def test_no_events_are_no_fault(door: Door) -> None:
    session = await door.start()
    assert await door.ingest(session.token) == IngestReply(accepted=0, duplicates=0, rejected=())


@pytest.mark.parametrize(
    ("encode", "headers"),
    [
        (lambda one: msgspec.json.encode([one]), {"Content-Type": "application/json"}),
        (lambda one: msgspec.json.encode({"events": [one]}), {"Content-Type": "text/plain;charset=UTF-8"}),
        (lambda one: msgspec.json.encode(one) + b"\n\n", {"Content-Type": "application/x-ndjson"}),
        (
            lambda one: gzip.compress(msgspec.json.encode([one])),
            {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        ),
    ],
    ids=["array", "text", "lines", "gzip"],
)
async def test_events_come_in_several_formats(door: Door, encode: object, headers: dict[str, str]) -> None:
    session = await door.start()
    answer = await door.post("ingest", session.token, data=encode(event()), headers=headers)  # type: ignore[operator]  # one of the above
    assert (answer.status, answer.read(IngestReply).accepted) == (200, 1)


async def test_a_call_that_cannot_be_read_is_refused_whole(door: Door) -> None:
    session = await door.start()
    json, zipped = {"Content-Type": "application/json"}, {"Content-Encoding": "gzip"}
    bad = [
        (b"{", json, 400),
        (b'{"events": 1}', json, 400),
        (b'{"sentAt": "x", "events": []}', json, 400),
        (b"x", json | zipped, 400),
        (gzip.compress(b"[]")[:-1], json | zipped, 400),
        (gzip.compress(b" " * 50_000_000), json | zipped, 413),
        (msgspec.json.encode([event()] * 501), json, 413),
        (b"[" + b" " * 1024 * 1024 + b"]", json, 413),
        (b"[]", {"Content-Type": "text/csv"}, 415),
        (b"[]", json | {"Content-Encoding": "br"}, 415),
    ]
    answers = [await door.post("ingest", session.token, data=body, headers=headers) for body, headers, _ in bad]
    assert [answer.status for answer in answers] == [status for _, _, status in bad]
    assert await door.stored() == (1, 1, 0)


async def test_the_time_of_sending_may_stand_in_the_query(door: Door) -> None:
    session = await door.start()
    line = msgspec.json.encode(event(at="2026-11-22T10:00:00Z"))
    headers = {"Content-Type": "application/x-ndjson"}
    await door.post("ingest?sentAt=2026-11-22T10:00:10Z", session.token, data=line, headers=headers)
    assert await door.value("select at from events") == NOON - timedelta(seconds=10)


async def test_events_of_a_session_that_is_over_are_taken_for_a_day(door: Door) -> None:
    ann, bob = await door.start(), await door.start()
    for session in (ann, bob):
        await door.post("end-session", session.token)
    door.later(hours=24)
    assert (await door.ingest(ann.token, event())).accepted == 1
    door.later(microseconds=1)
    answer = await door.post("ingest", bob.token, json=[event(), event("x")])
    assert answer.status == 400
    assert [one.reason for one in answer.read(IngestReply).rejected] == ["too_late", "bad_id"]


async def test_a_session_that_is_gone_is_unknown(door: Door) -> None:
    session = await door.start()
    await door.value("with gone as (delete from sessions) select null")
    for path in ("still-alive", "end-session"):
        answer = await door.post(path, session.token)
        assert (answer.status, answer.code) == (404, "unknown_session")
    answer = await door.post("ingest", session.token, json=[event()])
    assert [one.reason for one in answer.read(IngestReply).rejected] == ["unknown_session"]


@pytest.mark.parametrize(("said", "left"), [("", (1, 1, 1)), ("?erase=true", (1, 0, 0))])
async def test_who_withdraws_is_not_heard_any_more(door: Door, said: str, left: tuple[int, int, int]) -> None:
    session = await door.start()
    await door.ingest(session.token, event())
    for _ in range(2):
        assert (await door.post(f"withdraw{said}", session.token)).status == 204
    for path in ("still-alive", "end-session", "ingest"):
        answer = await door.post(path, session.token, json=[event()])
        assert (answer.status, answer.code) == (403, "consent_withdrawn")
    assert await door.stored() == left
    again = await door.start(installationId=str(session.installation_id))
    assert again.installation_id == session.installation_id
    assert (await door.ingest(again.token, event())).accepted == 1


async def test_an_erasure_may_be_asked_for_in_the_body(door: Door) -> None:
    session = await door.start()
    assert (await door.post("withdraw", session.token, json={"erase": True})).status == 204
    assert await door.stored() == (1, 0, 0)


async def test_an_installation_that_is_gone_cannot_be_withdrawn(door: Door) -> None:
    session = await door.start()
    await door.value("with gone as (delete from installations) select null")
    answer = await door.post("withdraw", session.token)
    assert (answer.status, answer.code) == (404, "unknown_session")


async def test_an_address_may_start_so_many_sessions_a_minute(database: Database) -> None:
    async with open_door(database, settings(starts_per_minute=2)) as door:
        answers = [await door.post("start-session") for _ in range(3)]
        assert [answer.status for answer in answers] == [201, 201, 429]
        assert 1 <= int(answers[2].headers["Retry-After"]) <= 30
        assert await door.stored() == (2, 2, 0)


async def test_a_session_may_call_so_often_a_second(database: Database) -> None:
    async with open_door(database, settings(calls_per_second=2)) as door:
        ann, bob = await door.start(), await door.start()
        answers = [await door.post("still-alive", ann.token) for _ in range(3)]
        assert [answer.status for answer in answers] == [204, 204, 429]
        assert answers[2].headers["Retry-After"] == "1"
        assert (await door.post("still-alive", bob.token)).status == 204


@asynccontextmanager
async def held_up(database: Database) -> AsyncIterator[None]:
    """Nothing can be committed of any session for as long as the block runs."""
    async with database.transaction() as transaction:
        await transaction.execute(inline("select from sessions for update"))
        yield


async def test_a_recorder_with_too_much_to_do_is_no_promise(database: Database) -> None:
    async with open_door(database, capacity=0) as busy, trio.open_nursery() as nursery:
        token = (await busy.start()).token
        async with held_up(database):
            nursery.start_soon(busy.post, "still-alive", token)
            await until_running(database, SPEAKING)
            for path in ("start-session", *EVERY_CALL):
                answer = await busy.post(path, token, json=[] if path == "ingest" else {})
                assert (answer.status, answer.headers["Retry-After"]) == (503, "1"), path
        assert await busy.stored() == (1, 1, 0)


async def test_a_stopped_recorder_is_no_promise(database: Database) -> None:
    async with open_door(database) as door:
        token = (await door.start()).token
    for path in ("start-session", *EVERY_CALL):
        answer = await door.post(path, token, json=[] if path == "ingest" else {})
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1"), path


async def test_events_that_wait_for_their_commit_are_bounded_by_their_bytes(database: Database) -> None:
    """What comes packed counts as what it has become."""
    events = [event(props={"a": "x" * 500}) for _ in range(499)]
    packed = gzip.compress(msgspec.json.encode([*events, "x" * 400_000]))
    request = {"data": packed, "headers": {"Content-Type": "application/json", "Content-Encoding": "gzip"}}
    answers: list[Answer] = []

    async def ingest(door: Door, token: str) -> None:
        answers.append(await door.post("ingest", token, **request))

    async with open_door(database, settings(in_flight=MOST_BYTES)) as door, trio.open_nursery() as nursery:
        ann, bob = await door.start(), await door.start()
        async with held_up(database):
            nursery.start_soon(ingest, door, ann.token)
            await until_running(database, SPEAKING)
            await ingest(door, bob.token)
    assert [answer.status for answer in answers] == [503, 200]
    assert answers[0].headers["Retry-After"] == "1"
    assert answers[1].read(IngestReply).accepted == 499
