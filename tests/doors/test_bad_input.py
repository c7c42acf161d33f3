"""What the house is told by mistake and out of malice, told to both doors of the rooms that have express calls."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from pulsekeeper.postgres.database import Database
from pulsekeeper.sessions.model import IngestReply
from pulsekeeper.web.problems import Problem
from tests.decisions.test_routes import Desk
from tests.house.parts import DECIDE
from tests.house.test_bad_input import BODIES, GOOD
from tests.house.test_sessions import CALLS, HOSTILE
from tests.support.raw_http import Question, Told
from tests.support.sessions_door import Door, event, open_door
from tests.support.two_doors import TwoDoors
from tests.web.parts import services

ACK = "/api/experience/ack"
JSON = "application/json"
LINES = {"Content-Type": "application/x-ndjson"}


@pytest.fixture
def pages() -> TwoDoors:
    """The routes of decisions, with nobody behind who decides."""
    return TwoDoors(Desk().routes(calls_per_minute=1_000_000).endpoints(), services())


@pytest.fixture
async def door(database: Database) -> AsyncIterator[Door]:
    """The routes of sessions."""
    async with open_door(database) as door:
        yield door


def asking(body: bytes, content_type: str = JSON, method: str = "POST", path: str = DECIDE) -> Question:
    """What a page sends."""
    fields = [(b"Content-Type", content_type.encode()), (b"Content-Length", b"%d" % len(body))]
    return Question(method=method, target=path.encode(), fields=fields, body=body)


def problem_in(told: Told) -> Problem:
    """The document that every refusal is."""
    assert dict(told.fields)[b"content-type"] == b"application/problem+json"
    return msgspec.json.decode(told.body, type=Problem)


async def test_a_bad_body_is_refused_with_every_fault(pages: TwoDoors) -> None:
    refused = {name: problem_in(await pages.ask(asking(body))) for name, (body, _) in BODIES.items()}

    assert {problem.status for problem in refused.values()} == {400}
    pointers = {name: [fault.pointer for fault in problem.errors] for name, problem in refused.items()}
    assert pointers == {name: expected for name, (_, expected) in BODIES.items()}


async def test_a_bad_report_is_refused(pages: TwoDoors) -> None:
    told = [await pages.ask(asking(body, path=ACK)) for body, _ in BODIES.values()]

    assert {each.status for each in told} == {400}


async def test_another_format_is_not_read(pages: TwoDoors) -> None:
    formats = ("", "application/x-www-form-urlencoded", "application/json; charset=latin-1", "text/html")

    assert [(await pages.ask(asking(GOOD, each))).status for each in formats] == [415] * len(formats)


async def test_another_method_is_not_known(pages: TwoDoors) -> None:
    methods = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "BREW")
    for path in (DECIDE, ACK):
        told = [await pages.ask(asking(b"", method=method, path=path)) for method in methods]

        assert {(each.status, dict(each.fields)[b"allow"]) for each in told} == {(405, b"OPTIONS, POST")}


async def test_17_kib_are_too_long(pages: TwoDoors) -> None:
    body = GOOD.ljust(17 * 1024)
    in_chunks = [(b"Content-Type", JSON.encode()), (b"Transfer-Encoding", b"chunked")]
    announced = asking(body)

    assert (await pages.ask(announced)).status == 413
    assert (await pages.ask(msgspec.structs.replace(announced, fields=in_chunks))).status == 413


async def test_a_hostile_event_gets_its_verdict_and_is_not_stored(door: Door) -> None:
    token = (await door.start()).token
    answers = {name: await door.post("ingest", token, data=line, headers=LINES) for name, (line, _) in HOSTILE.items()}

    assert {answer.status for answer in answers.values()} == {400}
    verdicts = {name: [one.reason for one in answer.read(IngestReply).rejected] for name, answer in answers.items()}
    assert verdicts == {name: [reason] for name, (_, reason) in HOSTILE.items()}
    assert await door.stored() == (1, 1, 0)


async def test_a_hostile_call_is_refused_whole(door: Door) -> None:
    token = (await door.start()).token
    answers = {
        name: await door.post("ingest", token, data=body, headers=headers) for name, (body, headers, _) in CALLS.items()
    }

    assert {name: answer.status for name, answer in answers.items()} == {name: case[2] for name, case in CALLS.items()}
    assert await door.stored() == (1, 1, 0)


async def test_five_hundred_events_of_garbage_are_refused_one_by_one(door: Door) -> None:
    garbage = [{"id": [], "name": {"a": 1}, "at": "x" * 1_000, "props": "y" * 900} for _ in range(500)]
    answer = await door.post("ingest", (await door.start()).token, json=garbage)

    assert answer.status == 400
    assert len(answer.read(IngestReply).rejected) == 500


async def test_a_session_from_its_beginning_to_its_end(door: Door) -> None:
    """Over both doors each time, in the three ways in which a token may come."""
    session = await door.start(platform="web", timezone="Europe/Berlin")
    alive = await door.ask("GET", f"still-alive?token={session.token}")
    events = [event(), event(name="page.navigated")]
    bearer = {"Authorization": f"Bearer {session.token}"}
    told = [await door.post("ingest", json=events, headers=bearer) for _ in range(2)]
    ended = await door.post("end-session", session.token)
    over = await door.post("still-alive", headers=bearer)

    assert [answer.status for answer in (alive, *told, ended, over)] == [204, 200, 200, 204, 409]
    assert [answer.read(IngestReply).duplicates for answer in told] == [0, 2]
    assert await door.stored() == (1, 1, 2)
