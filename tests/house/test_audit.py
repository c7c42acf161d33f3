"""Operators look into the log, decide again, see what is known of somebody, and make the service forget them."""

from typing import Any

import httpx
import pytest

from pulsekeeper.ids import uuid7
from pulsekeeper.postgres.database import open_database
from pulsekeeper.postgres.queries import inline
from tests.house.parts import RELEASE, ask
from tests.support.decisions import NOW
from tests.support.postgres import settings_for
from tests.support.service import ADMIN, Service, run_command
from tests.support.waiting import eventually

DECISIONS = "/api/experience/decisions"
STATE = "/api/experience/state"
STATS = "/api/experience/stats"
NEVER_MADE = str(uuid7(NOW, entropy=0))
NOT_OURS = "8d2f4c1e-7b1a-4c53-9f0e-3a5d6b7c8e9f"  # made otherwise, so it tells no time
PARTITIONS = inline(
    "select count(*) from pg_inherits join pg_class child on child.oid = inhrelid"
    " where inhparent in ('decision_log'::regclass, 'impressions'::regclass, 'events'::regclass)"
    " and not child.relname like '%default'"
)


async def get(client: httpx.AsyncClient, path: str, **query: str) -> Any:
    answer = await client.get(path, params=query, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_decision_is_found_by_its_id_and_made_again_to_the_byte(
    client: httpx.AsyncClient, house_database_url: str
) -> None:
    reply = (await ask(client, "visitor-audit-1", timezone="Asia/Kathmandu")).reply

    row = await get(client, f"{DECISIONS}/{reply.decision_id}")
    again = await client.post(f"{DECISIONS}/{reply.decision_id}/replay", headers=ADMIN)
    by_command = run_command(house_database_url, "replay", reply.decision_id)

    assert row["reply"]["decisionId"] == reply.decision_id
    assert (row["request"]["releaseId"], row["stateBefore"], row["identity"]["kind"]) == (RELEASE, None, "visitor")
    assert again.json() == {"identical": True, "differences": []}
    assert (by_command.returncode, by_command.stdout) == (0, "1 decided again, 0 different\n")


async def test_a_rule_book_that_was_tampered_with_is_found_out(
    client: httpx.AsyncClient, house_database_url: str
) -> None:
    reply = (await ask(client, "visitor-audit-2")).reply
    async with open_database(settings_for(house_database_url)) as database:
        tampered = inline('update decision_log set reasons = \'{"gone": "rollout"}\' where decision_id = :id')
        await database.execute(tampered, id=reply.decision_id)

    again = await client.post(f"{DECISIONS}/{reply.decision_id}/replay", headers=ADMIN)
    by_command = run_command(house_database_url, "replay", "--last", "100000")

    assert {"pointer": "/reasons/gone", "logged": "rollout"} in again.json()["differences"]
    assert by_command.returncode == 1
    assert f"{reply.decision_id} is different:" in by_command.stdout
    assert by_command.stdout.splitlines()[-1].endswith("decided again, 1 different")


@pytest.mark.parametrize("decision_id", [NEVER_MADE, NOT_OURS, "not-an-id", "%2e%2e", "0" * 500])
async def test_a_decision_that_was_never_made_is_not_found(decision_id: str, client: httpx.AsyncClient) -> None:
    assert (await client.get(f"{DECISIONS}/{decision_id}", headers=ADMIN)).status_code == 404
    assert (await client.post(f"{DECISIONS}/{decision_id}/replay", headers=ADMIN)).status_code == 404


async def test_what_is_known_of_somebody_is_told_by_any_of_their_names_and_simulate_takes_it(
    client: httpx.AsyncClient,
) -> None:
    await ask(client, "visitor-audit-3")

    known = await client.get(STATE, params={"visitorId": "visitor-audit-3"}, headers=ADMIN)
    by_key = await client.get(known.headers["Content-Location"], headers=ADMIN)
    question = {"request": {"releaseId": RELEASE}, "state": known.json()}
    simulated = await client.post("/api/experience/simulate", json=question, headers=ADMIN)

    assert known.json()["visits"]["total"] == 1
    assert by_key.json() == known.json()
    assert known.headers["Content-Location"] == by_key.headers["Content-Location"]
    assert simulated.status_code == 200, simulated.text
    assert simulated.json()["stateAfter"]["visits"]["total"] == 2


async def test_everything_about_somebody_is_given_out_and_then_forgotten(client: httpx.AsyncClient) -> None:
    visitor_id = "visitor-audit-4"
    made = [(await ask(client, visitor_id)).reply.decision_id for _ in range(3)]

    export = (await get(client, STATE, visitorId=visitor_id, export="1"))["export"]
    erased = await client.delete(STATE, params={"visitorId": visitor_id}, headers=ADMIN)
    after = await client.get(STATE, params={"visitorId": visitor_id}, headers=ADMIN)

    assert export["complete"]
    assert [row["decisionId"] for row in export["decisions"]] == made[::-1]
    assert erased.json()["totals"] == export["totals"]
    assert export["totals"] == {"states": 1, "links": 0, "decisions": 3, "impressions": 0, "releaseVisits": 1}
    assert after.status_code == 404
    assert (await client.get(f"{DECISIONS}/{made[0]}", headers=ADMIN)).status_code == 404

    await ask(client, visitor_id)
    assert (await get(client, STATE, visitorId=visitor_id))["visits"]["total"] == 1


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({}, ""),
        ({"userId": "a", "visitorId": "visitor-audit"}, ""),
        ({"visitorId": "short"}, "/visitorId"),
        ({"personKey": "nobody"}, "/personKey"),
        ({"userId": "a", "exprot": "1"}, "/exprot"),
    ],
)
async def test_it_must_be_clear_who_is_meant(query: dict[str, str], pointer: str, client: httpx.AsyncClient) -> None:
    for method in ("GET", "DELETE"):
        refused = await client.request(method, STATE, params=query, headers=ADMIN)

        assert refused.status_code == 400
        assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer]


async def test_numbers_are_told_day_by_day_and_by_release(client: httpx.AsyncClient) -> None:
    await ask(client, "visitor-audit-5", releaseId="audit.1")

    days = await get(client, f"{STATS}/impressions", campaignId="unheard-of", timezone="Europe/Paris")
    release = await get(client, f"{STATS}/releases/audit.1")

    assert (len(days["days"]), days["total"]["offered"]) == (30, 0)
    assert (release["visitors"], release["offered"]) == (1, 0)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{DECISIONS}/{NEVER_MADE}"),
        ("POST", f"{DECISIONS}/{NEVER_MADE}/replay"),
        ("GET", f"{STATE}?userId=a"),
        ("DELETE", f"{STATE}?userId=a"),
        ("GET", f"{STATS}/impressions?campaignId=a"),
        ("GET", f"{STATS}/releases/1.0"),
    ],
)
async def test_nobody_else_may(method: str, path: str, client: httpx.AsyncClient) -> None:
    assert (await client.request(method, path)).status_code == 401


async def test_a_node_makes_partitions_ahead_as_soon_as_it_runs(house: Service, house_database_url: str) -> None:
    async with open_database(settings_for(house_database_url)) as database:

        async def fact() -> bool:
            return bool(await database.fetch_value(PARTITIONS) == 3 * 8)

        await eventually(fact)

    done = run_command(house_database_url, "maintain")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "decisions: 0 decisions deleted",
        "decisions: 0 impressions deleted",
        "decisions: 0 people purged",
        "sessions: 0 event ids forgotten",
        "sessions: 0 events deleted",
        "sessions: 0 sessions deleted",
        "sessions: 0 rollups deleted",
    ]


def test_it_must_be_clear_which_decisions_are_meant(house_database_url: str, house: Service) -> None:
    refused = run_command(house_database_url, "replay")

    assert refused.returncode == 2
    assert "--since" in refused.stderr
