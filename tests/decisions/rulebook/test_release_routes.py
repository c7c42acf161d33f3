"""Releases over the API: each handler with a real database behind it."""

import msgspec
import pytest

from pulsekeeper.decisions.rulebook.release_routes import ReleaseRoutes
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rules.model import Policy
from pulsekeeper.errors import Invalid, NotFound
from pulsekeeper.postgres.database import Database
from pulsekeeper.web.problems import PreconditionFailed
from pulsekeeper.web.wire import Headers, Reply, Request
from tests.support.decisions import NOW

DATE = "2026-01-01T00:00:00Z"


@pytest.fixture
def routes(database: Database) -> ReleaseRoutes:
    return ReleaseRoutes(RuleStore(database), Policy(), lambda: NOW)


def request(release_id: str = "2026.1", body: object = None, **headers: str) -> Request:
    given = {"content-type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
    return Request(
        method="PUT",
        path="/",
        path_params={"id": release_id},
        headers=Headers([(name.encode(), value.encode()) for name, value in given.items()]),
        body=msgspec.json.encode(body),
    )


def tag_of(reply: Reply) -> str:
    return dict(reply.headers)["ETag"]


async def test_a_release_is_registered_and_then_corrected(routes: ReleaseRoutes) -> None:
    created = await routes.put(request("2026/1 beta", {"releasedAt": DATE}))
    corrected = await routes.put(request("2026/1 beta", {"releasedAt": DATE, "notesUrl": "/notes"}))

    assert (created.status, corrected.status) == (201, 200)
    assert dict(created.headers)["Location"] == "/api/experience/releases/2026%2F1%20beta"
    assert msgspec.json.decode(corrected.body) == {"id": "2026/1 beta", "releasedAt": DATE, "notesUrl": "/notes"}
    assert (await routes.show(request("2026/1 beta"))).body == corrected.body


async def test_releases_are_listed_with_the_latest_first(routes: ReleaseRoutes) -> None:
    await routes.put(request("2026.1", {"releasedAt": DATE}))
    await routes.put(request("2025.9", {"releasedAt": "2025-09-01T00:00:00Z"}))

    listed = await routes.index(request())

    assert [each["id"] for each in msgspec.json.decode(listed.body)["releases"]] == ["2026.1", "2025.9"]
    assert (await routes.index(request(if_none_match=tag_of(listed)))).status == 304


async def test_what_was_read_can_be_put_back_and_nothing_is_changed(routes: ReleaseRoutes, database: Database) -> None:
    created = await routes.put(request(body={"releasedAt": "2026-01-01T09:00:00.123456+09:00"}))
    read = await routes.show(request())

    again = await routes.put(request(body=msgspec.json.decode(read.body), if_match=tag_of(read)))

    assert tag_of(created) == tag_of(read) == tag_of(again)
    assert (await RuleStore(database).rule_book_parts()).revision == 1


async def test_an_update_is_not_lost(routes: ReleaseRoutes) -> None:
    first = tag_of(await routes.put(request(body={"releasedAt": DATE}, if_none_match="*")))
    await routes.put(request(body={"releasedAt": DATE, "notesUrl": "/notes"}, if_match=first))

    for late in (
        routes.put(request(body={"releasedAt": DATE}, if_match=first)),
        routes.put(request(body={"releasedAt": DATE}, if_none_match="*")),
        routes.remove(request(if_match=first)),
    ):
        with pytest.raises(PreconditionFailed):
            await late


async def test_what_is_removed_is_gone(routes: ReleaseRoutes) -> None:
    await routes.put(request(body={"releasedAt": DATE}))

    assert (await routes.remove(request())).status == 204
    for gone in (routes.show(request()), routes.remove(request())):
        with pytest.raises(NotFound, match=r"2026\.1"):
            await gone


async def test_all_faults_are_told(routes: ReleaseRoutes) -> None:
    with pytest.raises(Invalid) as refusal:
        await routes.put(request("x" * 65, {"id": "other", "relesedAt": DATE}))

    assert {fault.pointer for fault in refusal.value.faults} == {"/id", "/releasedAt", "/relesedAt"}
