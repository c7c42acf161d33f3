"""Campaigns over the API: each handler with a real database behind it."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import trio

from pulsekeeper.decisions.rulebook.campaign_routes import CampaignRoutes
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rules.model import Policy
from pulsekeeper.errors import Invalid, NotFound
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.web.endpoints import Method
from pulsekeeper.web.preconditions import etag
from pulsekeeper.web.problems import PreconditionFailed, UnsupportedMediaType
from pulsekeeper.web.wire import Headers, Reply, Request
from tests.support.decisions import NOW, apply, campaign
from tests.support.postgres import settings_for

HELLO: dict[str, Any] = {"id": "hello", "type": "onboarding", "action": "SHOW_BANNER"}
MERGE_PATCH = "application/merge-patch+json"


@pytest.fixture
def routes(database: Database) -> CampaignRoutes:
    return CampaignRoutes(RuleStore(database), Policy(), lambda: NOW)


@pytest.fixture
async def elsewhere(database_url: str) -> AsyncIterator[CampaignRoutes]:
    """The same on another node."""
    async with open_database(settings_for(database_url)) as database:
        yield CampaignRoutes(RuleStore(database), Policy(), lambda: NOW)


def request(campaign_id: str = "", body: object = None, method: Method = "POST", **headers: str) -> Request:
    given = {"content-type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
    return Request(
        method=method,
        path="/",
        path_params={"id": campaign_id} if campaign_id else {},
        headers=Headers([(name.encode(), value.encode()) for name, value in given.items()]),
        body=msgspec.json.encode(body),
    )


def tag_of(reply: Reply) -> str:
    return dict(reply.headers)["ETag"]


def content(reply: Reply) -> Any:
    return msgspec.json.decode(reply.body)


def faults(refusal: pytest.ExceptionInfo[Invalid]) -> dict[str, str]:
    return {fault.pointer: fault.detail for fault in refusal.value.faults}


async def test_what_is_created_has_an_address_and_a_tag_under_which_it_can_be_read(routes: CampaignRoutes) -> None:
    created = await routes.create(request(body=HELLO))
    read = await routes.show(request("hello"))

    assert created.status == 201
    assert dict(created.headers)["Location"] == "/api/experience/campaigns/hello"
    assert content(created) == content(read)
    assert content(read).items() >= HELLO.items()
    assert tag_of(created) == tag_of(read) == etag(read.body)


async def test_what_the_client_has_already_is_not_sent_again(routes: CampaignRoutes) -> None:
    tag = tag_of(await routes.create(request(body=HELLO)))

    assert (await routes.show(request("hello", if_none_match=tag))).status == 304
    await routes.put(request("hello", HELLO | {"priority": 5}))
    assert (await routes.show(request("hello", if_none_match=tag))).status == 200


async def test_an_id_that_is_taken_is_told_with_all_other_faults(routes: CampaignRoutes) -> None:
    await routes.create(request(body=HELLO))

    with pytest.raises(Invalid) as refusal:
        await routes.create(request(body=HELLO | {"prioritty": 5, "rollout": {"percent": 101}}))

    assert set(faults(refusal)) == {"/prioritty", "/rollout/percent", "/id"}
    assert "did you mean 'priority'?" in faults(refusal)["/prioritty"]
    assert faults(refusal)["/id"] == "the id 'hello' is already taken"


async def test_put_creates_and_then_replaces(routes: CampaignRoutes) -> None:
    created = await routes.put(request("hello", {"type": "onboarding", "action": "SHOW_BANNER"}))
    replaced = await routes.put(request("hello", HELLO | {"priority": 5}))

    assert (created.status, replaced.status) == (201, 200)
    assert dict(created.headers)["Location"] == "/api/experience/campaigns/hello"
    assert content(await routes.show(request("hello")))["priority"] == 5


async def test_what_was_read_can_be_put_back_and_nothing_is_changed(routes: CampaignRoutes, database: Database) -> None:
    created = await routes.create(request(body=HELLO))

    put = await routes.put(request("hello", content(created), if_match=tag_of(created)))

    assert (put.status, tag_of(put)) == (200, tag_of(created))
    assert (await RuleStore(database).rule_book_parts()).revision == 1


async def test_the_body_may_not_contradict_the_address(routes: CampaignRoutes) -> None:
    with pytest.raises(Invalid) as refusal:
        await routes.put(request("hello", HELLO | {"id": "other"}))

    assert list(faults(refusal)) == ["/id"]


async def test_an_update_is_not_lost(routes: CampaignRoutes) -> None:
    first = tag_of(await routes.create(request(body=HELLO)))
    await routes.put(request("hello", HELLO | {"priority": 5}, if_match=first))

    for late in (
        routes.put(request("hello", HELLO | {"priority": 9}, if_match=first)),
        routes.switch(request("hello", {"active": False}, if_match=first)),
        routes.remove(request("hello", if_match=first)),
    ):
        with pytest.raises(PreconditionFailed):
            await late

    assert content(await routes.show(request("hello")))["priority"] == 5


async def test_of_two_who_have_read_the_same_version_one_wins(
    routes: CampaignRoutes, elsewhere: CampaignRoutes
) -> None:
    tag = tag_of(await routes.create(request(body=HELLO)))
    ends: list[object] = []

    async def put(where: CampaignRoutes, priority: int) -> None:
        try:
            ends.append((await where.put(request("hello", HELLO | {"priority": priority}, if_match=tag))).status)
        except PreconditionFailed:
            ends.append("lost")

    async with trio.open_nursery() as nursery:
        for number in range(1, 11):
            nursery.start_soon(put, (routes, elsewhere)[number % 2], number)

    assert sorted(map(str, ends)) == ["200", *["lost"] * 9]


async def test_put_can_be_asked_to_create_only(routes: CampaignRoutes) -> None:
    assert (await routes.put(request("hello", HELLO, if_none_match="*"))).status == 201
    with pytest.raises(PreconditionFailed):
        await routes.put(request("hello", HELLO | {"priority": 5}, if_none_match="*"))


async def test_put_can_be_asked_to_replace_only(routes: CampaignRoutes) -> None:
    with pytest.raises(PreconditionFailed):
        await routes.put(request("hello", HELLO, if_match="*"))


@pytest.mark.parametrize("content_type", ["application/json", MERGE_PATCH])
async def test_a_campaign_is_switched_off_and_on(routes: CampaignRoutes, content_type: str) -> None:
    created = await routes.create(request(body=HELLO))

    off = await routes.switch(request("hello", {"active": False}, content_type=content_type))
    on = await routes.switch(request("hello", {"active": True}, content_type=content_type, if_match=tag_of(off)))

    assert (content(off)["active"], content(on)["active"]) == (False, True)
    assert tag_of(on) == tag_of(created)


@pytest.mark.parametrize("body", [{}, {"active": None}, {"active": "no"}, {"active": False, "priority": 1}, [], None])
async def test_nothing_else_can_be_patched(routes: CampaignRoutes, body: object) -> None:
    await routes.create(request(body=HELLO))

    with pytest.raises(Invalid):
        await routes.switch(request("hello", body))
    assert content(await routes.show(request("hello")))["active"] is True


async def test_a_patch_in_another_format_is_not_read(routes: CampaignRoutes) -> None:
    await routes.create(request(body=HELLO))

    with pytest.raises(UnsupportedMediaType):
        await routes.switch(request("hello", [], content_type="application/json-patch+json"))


async def test_what_is_removed_is_gone(routes: CampaignRoutes) -> None:
    await routes.create(request(body=HELLO))

    assert (await routes.remove(request("hello"))).status == 204
    for gone in (
        routes.show(request("hello")),
        routes.remove(request("hello", if_match='"any"')),
        routes.switch(request("hello", {"active": True})),
    ):
        with pytest.raises(NotFound, match="hello"):
            await gone


async def test_all_campaigns_are_listed_under_a_tag_that_changes_with_any_of_them(
    routes: CampaignRoutes, database: Database
) -> None:
    await apply(RuleStore(database), campaign("b"), campaign("a"))
    listed = await routes.index(request())

    assert [each["id"] for each in content(listed)["campaigns"]] == ["a", "b"]
    assert content(listed)["next"] is None
    assert (await routes.index(request(if_none_match=tag_of(listed)))).status == 304
    await routes.switch(request("b", {"active": False}))
    assert (await routes.index(request(if_none_match=tag_of(listed)))).status == 200


async def test_a_long_list_comes_in_pages(routes: CampaignRoutes, database: Database) -> None:
    await apply(RuleStore(database), *(campaign(f"c-{number:04}") for number in range(1001)))

    first = content(await routes.index(request()))
    second = content(
        await routes.index(msgspec.structs.replace(request(), query_string=b"after=" + first["next"].encode()))
    )

    assert (len(first["campaigns"]), first["next"]) == (1000, "c-0999")
    assert ([each["id"] for each in second["campaigns"]], second["next"]) == (["c-1000"], None)


BOMB = " || ".join(["flags.exists(a, flags.exists(b, flags.exists(c, a + b == c)))"] * 3)


@pytest.mark.parametrize(
    ("members", "pointer", "words"),
    [
        ({"id": "a/b"}, "/id", "small letters"),
        ({"id": "__proto__"}, "/id", "small letters"),
        ({"__proto__": {"active": False}}, "/__proto__", "unknown key '__proto__'"),
        ({"trigger": {"__proto__": {}}}, "/trigger/__proto__", "unknown key"),
        ({"messagePayload": {"a": [{"__proto__": {}}]}}, "/messagePayload/a/0/__proto__", "not safe in a browser"),
        ({"messagePayload": {"constructor": 1}}, "/messagePayload/constructor", "not safe in a browser"),
        ({"messagePayload": {"b": "x" * 20_000}}, "/messagePayload", "at most 16384"),
        ({"trigger": {"segment": {"regions": ["(US|DE)-.*"]}}}, "/trigger/segment/regions/0", "looks like a pattern"),
        ({"trigger": {"segment": {"deviceType": ["x", "^m"]}}}, "/trigger/segment/deviceType/1", "pattern"),
        ({"trigger": {"when": "release.matches('(a+)+$')"}}, "/trigger/when", "unknown function 'matches'"),
        ({"trigger": {"when": "(" * 1000 + ")" * 24}}, "/trigger/when", "does not compile"),
        ({"trigger": {"when": "[" * 1024}}, "/trigger/when", "does not compile"),
        ({"trigger": {"when": BOMB}}, "/trigger/when", ""),
        ({"trigger": {"when": "true || " * 1000 + "true"}}, "/trigger/when", "1024"),
    ],
)
async def test_what_is_dangerous_is_refused_in_words(
    routes: CampaignRoutes, members: dict[str, object], pointer: str, words: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        await routes.create(request(body=HELLO | members))

    assert set(faults(refusal)) == {pointer}
    assert words in faults(refusal)[pointer]


@pytest.mark.parametrize("body", [[], None, "campaign", 7])
async def test_what_is_no_campaign_at_all_is_refused(routes: CampaignRoutes, body: object) -> None:
    with pytest.raises(Invalid):
        await routes.create(request(body=body))
    with pytest.raises(Invalid):
        await routes.put(request("hello", body))
