"""Operators try out rules over HTTP, and nobody is touched."""

from typing import Any

import httpx
import pytest

from pulsekeeper.postgres.database import open_database
from pulsekeeper.postgres.queries import inline
from tests.support.postgres import settings_for
from tests.support.service import ADMIN

SIMULATE = "/api/experience/simulate"
QUESTION: dict[str, Any] = {
    "now": "2025-10-10T17:20:00Z",
    "person": "visitor:abc",
    "authenticated": False,
    "state": {"firstSeenAt": "2025-05-01T08:00:00Z", "lastSeenAt": "2025-08-30T08:00:00Z", "visits": {"total": 4}},
    "campaigns": [
        {
            "id": "welcome-back",
            "type": "reengagement",
            "action": "SHOW_SNACKBAR",
            "trigger": {"minDaysSinceLastSeen": 30},
            "messagePayload": {"title": "Welcome back"},
        },
        {"id": "later", "type": "release", "action": "SHOW_DIALOG", "validFrom": "2026-01-01T00:00:00Z"},
    ],
    "releases": [{"id": "2025.10.1", "releasedAt": "2025-10-01T00:00:00Z"}],
    "request": {"releaseId": "2025.10.1", "timezone": "America/New_York"},
}
EVERYTHING = inline(
    "select (select jsonb_agg(v order by person_key) from visitors v), (select count(*) from decision_log),"
    " (select revision from rule_book_revision), (select count(*) from rule_books)"
)


async def test_it_says_what_would_be_shown_and_why_and_what_would_be_remembered(client: httpx.AsyncClient) -> None:
    answer = await client.post(SIMULATE, json=QUESTION, headers=ADMIN)

    assert answer.status_code == 200
    told = answer.json()
    assert told["decisions"] == [
        {
            "action": "SHOW_SNACKBAR",
            "campaignId": "welcome-back",
            "payload": {"title": "Welcome back"},
            "reason": ["returning_after_30_days"],
        }
    ]
    assert {one["campaignId"]: (one["verdict"], one["reason"]) for one in told["evaluated"]} == {
        "welcome-back": ("shown", "returning_after_30_days"),
        "later": ("refused", "not_yet"),
    }
    assert 60 <= told["nextCheckInSeconds"] <= 3600
    assert told["stateAfter"]["lastSeenAt"] == "2025-10-10T17:20:00Z"
    assert told["stateAfter"]["visits"] == {
        "today": 1,
        "thisWeek": 1,
        "total": 5,
        "day": "2025-10-10",
        "week": "2025-W41",
    }
    assert told["stateAfter"]["campaigns"]["welcome-back"]["offers"] == 1


async def test_what_is_left_out_is_taken_from_what_is_stored_and_nothing_is_changed(
    client: httpx.AsyncClient, house_database_url: str
) -> None:
    question = QUESTION | {"state": None, "campaigns": None, "releases": None}
    async with open_database(settings_for(house_database_url)) as database:
        before = await database.fetch(EVERYTHING)
        answer = await client.post(SIMULATE, json=question, headers=ADMIN)
        after = await database.fetch(EVERYTHING)

    assert answer.status_code == 200
    assert answer.json()["stateAfter"]["visits"]["total"] == 1
    assert after == before


async def test_misspelt_keys_are_told_except_those_of_a_page(client: httpx.AsyncClient) -> None:
    """Those in the state were ignored, because those in the request have to be."""
    question = QUESTION | {
        "state": {"lastSeenAt": "2025-08-30T08:00:00Z", "visist": {"total": 4}},
        "request": {"releaseId": "2025.10.1", "newerThanTheServer": True},
    }

    refused = await client.post(SIMULATE, json=question, headers=ADMIN)

    assert refused.status_code == 400
    assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/state/visist"]


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer a-key-that-nobody-knows"}], ids=["nobody", "a stranger"]
)
async def test_nobody_else_may(headers: dict[str, str], client: httpx.AsyncClient) -> None:
    assert (await client.post(SIMULATE, json=QUESTION, headers=headers)).status_code == 401
