"""Operators change the rules over HTTP and by commands, while two nodes decide by them."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx
import pytest
import trio

from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from tests.house.parts import ask, shown
from tests.support.service import ADMIN, Service, run_command, starting_service

CAMPAIGNS = "/api/experience/campaigns"
RELEASES = "/api/experience/releases"
BANNER: dict[str, Any] = {"id": "banner", "type": "onboarding", "action": "SHOW_BANNER"}
DATE = "2025-10-01T00:00:00Z"
CUT = inline("select count(pg_terminate_backend(pid)) from pg_stat_activity where query ilike 'listen%'")
SECOND = 1.0


@pytest.fixture
def nodes(database_url: str) -> Iterator[tuple[Service, Service]]:
    """Two nodes on one database."""
    with starting_service(database_url) as first, starting_service(database_url) as second:
        first.wait_ready()
        second.wait_ready()
        yield first, second


@pytest.fixture
async def clients(nodes: tuple[Service, Service]) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """A client of each."""
    async with nodes[0].client() as one, nodes[1].client() as other:
        one.headers.update(ADMIN)
        yield one, other


@pytest.fixture
def manage(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """An operator's client of the shared node."""
    client.headers.update(ADMIN)
    return client


async def until_shown(client: httpx.AsyncClient, *campaigns: str) -> None:
    """Return when new visitors of a node are shown exactly these."""
    with trio.fail_after(SECOND):
        number = 0
        while shown(await ask(client, f"visitor-{trio.current_time():.6f}-{number}".replace(".", "-"))) != [*campaigns]:
            number += 1


async def test_a_change_is_in_force_on_every_node_within_a_second(
    clients: tuple[httpx.AsyncClient, httpx.AsyncClient],
) -> None:
    one, other = clients
    for write, campaigns in (
        (one.post(CAMPAIGNS, json=BANNER), ["banner"]),
        (one.patch(f"{CAMPAIGNS}/banner", json={"active": False}), []),
        (one.patch(f"{CAMPAIGNS}/banner", json={"active": True}), ["banner"]),
        (one.delete(f"{CAMPAIGNS}/banner"), []),
    ):
        assert (await write).is_success
        await until_shown(other, *campaigns)
        await until_shown(one, *campaigns)


async def test_what_is_switched_off_is_not_shown_though_no_node_can_be_told(
    clients: tuple[httpx.AsyncClient, httpx.AsyncClient], database: Database
) -> None:
    """The commit finds out: not a single page is shown it once the switch is answered."""
    one, other = clients
    await one.put(f"{CAMPAIGNS}/banner", json=BANNER)
    await until_shown(other, "banner")

    assert await database.fetch_value(CUT) == 2
    assert (await one.patch(f"{CAMPAIGNS}/banner", json={"active": False})).is_success

    assert shown(await ask(other, "visitor-after-the-cut")) == []
    assert shown(await ask(one, "visitor-after-the-cut")) == []


async def test_of_two_operators_on_two_nodes_one_wins(
    clients: tuple[httpx.AsyncClient, httpx.AsyncClient],
) -> None:
    one, other = clients
    other.headers.update(ADMIN)
    tag = (await one.post(CAMPAIGNS, json=BANNER)).headers["etag"]
    statuses: list[int] = []

    async def put(client: httpx.AsyncClient, priority: int) -> None:
        body = BANNER | {"priority": priority}
        statuses.append((await client.put(f"{CAMPAIGNS}/banner", json=body, headers={"If-Match": tag})).status_code)

    async with trio.open_nursery() as nursery:
        for number in range(1, 9):
            nursery.start_soon(put, clients[number % 2], number)

    assert sorted(statuses) == [200, *[412] * 7]


async def test_an_answer_outlives_its_campaign(clients: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> None:
    one, other = clients
    await one.post(CAMPAIGNS, json=BANNER)
    await until_shown(other, "banner")
    await ask(other, "visitor-who-answers")

    assert (await one.delete(f"{CAMPAIGNS}/banner")).status_code == 204
    await until_shown(other)
    report = {"campaignId": "banner", "outcome": "dismissed", "visitorId": "visitor-who-answers"}
    assert (await other.post("/api/experience/ack", json=report)).status_code == 204

    await one.post(CAMPAIGNS, json=BANNER)
    await until_shown(other, "banner")
    assert shown(await ask(other, "visitor-who-answers")) == []


async def test_releases_are_told_by_deployments(manage: httpx.AsyncClient) -> None:
    created = await manage.put(f"{RELEASES}/2025.10.1", json={"releasedAt": DATE})
    listed = (await manage.get(RELEASES)).json()["releases"]
    told = (await ask(manage, "visitor-of-the-release")).reply.release_status

    assert (created.status_code, created.headers["location"]) == (201, f"{RELEASES}/2025.10.1")
    assert {"id": "2025.10.1", "releasedAt": DATE, "notesUrl": None} in listed
    assert told.latest_release_id == "2025.10.1"
    assert (await manage.delete(f"{RELEASES}/2025.10.1")).status_code == 204
    assert (await manage.get(f"{RELEASES}/2025.10.1")).status_code == 404


async def test_what_is_known_already_is_not_sent(manage: httpx.AsyncClient) -> None:
    tag = (await manage.get(CAMPAIGNS)).headers["etag"]

    again = await manage.get(CAMPAIGNS, headers={"If-None-Match": tag})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert "content-length" not in again.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("size", [64 * 1024 + 1, 10_000_000])
async def test_nothing_that_large_is_read(method: str, size: int, manage: httpx.AsyncClient) -> None:
    url = CAMPAIGNS if method == "POST" else f"{CAMPAIGNS}/banner"
    async with manage.stream(
        method, url, content=b"{}".ljust(size), headers={"Content-Type": "application/json"}
    ) as answer:
        assert answer.status_code == 413


@pytest.mark.parametrize("address", ["a/b", "a%2Fb", "..%2F..", "%00", "%ff", ""])
async def test_an_address_that_no_campaign_has_is_not_there(address: str, manage: httpx.AsyncClient) -> None:
    assert (await manage.get(f"{CAMPAIGNS}/{address}")).status_code == 404


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_nobody_else_may(method: str, client: httpx.AsyncClient) -> None:
    for url in (CAMPAIGNS, f"{CAMPAIGNS}/banner", RELEASES, f"{RELEASES}/1"):
        assert (await client.request(method, url, json=BANNER)).status_code in {401, 405}


class Commands:
    """`pulsekeeper campaigns …` on one database and one folder."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.database_url = database_url
        self.folder = folder

    def run(self, *words: str) -> CompletedProcess[str]:
        return run_command(self.database_url, *words)

    def write(self, *campaigns: dict[str, Any]) -> None:
        for old in self.folder.glob("*.json"):
            old.unlink()
        for campaign in campaigns:
            (self.folder / f"{campaign['id']}.json").write_text(json.dumps(campaign))

    def campaigns(self, word: str, *options: str) -> tuple[int, list[str]]:
        done = self.run("campaigns", word, str(self.folder), *options)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout.splitlines()


@pytest.fixture
def commands(database_url: str, tmp_path: Path) -> Commands:
    """On an empty database and an empty folder."""
    return Commands(database_url, tmp_path)


def test_what_is_exported_can_be_applied_and_changes_nothing(commands: Commands) -> None:
    samples = Path(__file__).parents[2] / "config" / "campaigns"
    commands.run("campaigns", "apply", str(samples))

    assert commands.campaigns("export") == (0, [f"4 written to {commands.folder}"])
    assert commands.campaigns("apply", "--prune") == (0, ["4 unchanged"])
    assert commands.campaigns("diff", "--prune") == (0, [])
    printed = commands.run("campaigns", "export", "-")
    assert [one["id"] for one in json.loads(printed.stdout)] == sorted(file.stem for file in commands.folder.iterdir())


def test_a_folder_is_tried_shown_and_then_applied(commands: Commands) -> None:
    commands.write(BANNER, BANNER | {"id": "gone"})
    commands.campaigns("apply")
    commands.write(BANNER | {"priority": 5}, BANNER | {"id": "new"})

    code, lines = commands.campaigns("diff", "--prune")
    assert code == 1
    assert [line for line in lines if line.startswith(("---", "+++"))] == [
        "--- stored/banner", "+++ folder/banner",
        "--- stored/gone", "+++ /dev/null",
        "--- /dev/null", "+++ folder/new",
    ]  # fmt: skip
    tried = ["would be added new", "would be changed banner", "would be removed gone", "0 unchanged"]
    assert commands.campaigns("apply", "--prune", "--dry-run") == (0, tried)
    assert commands.campaigns("apply", "--prune") == (0, ["added new", "changed banner", "removed gone", "0 unchanged"])
    assert commands.campaigns("apply", "--prune") == (0, ["2 unchanged"])


def test_what_is_not_in_the_folder_stays_unless_it_is_pruned(commands: Commands) -> None:
    commands.write(BANNER)
    commands.campaigns("apply")
    commands.write(BANNER | {"id": "new", "active": False, "validFrom": DATE})

    assert commands.campaigns("apply") == (0, ["added new", "0 unchanged"])
    listed = [line.split() for line in commands.run("campaigns", "list").stdout.splitlines()]
    assert [line[:2] for line in listed] == [["banner", "on"], ["new", "off"]]
    told = json.loads(commands.run("campaigns", "list", "--json").stdout)
    assert {one["id"]: one["active"] for one in told} == {"banner": True, "new": False}


def test_nothing_is_exported_beside_other_files(commands: Commands) -> None:
    commands.write(BANNER)

    refused = commands.run("campaigns", "export", str(commands.folder))

    assert (refused.returncode, refused.stdout) == (1, "")
    assert "banner.json" in refused.stderr


def test_releases_are_listed_put_and_removed(commands: Commands) -> None:
    put = commands.run("releases", "put", "2025.10.1", "--released-at", "2025-10-01T09:00+02:00", "--notes-url", "/n")
    listed = commands.run("releases", "list")
    as_json = commands.run("releases", "list", "--json")
    removed = commands.run("releases", "remove", "2025.10.1")
    gone = commands.run("releases", "remove", "2025.10.1")

    assert put.stdout == "2025.10.1 released at 2025-10-01T07:00:00+00:00\n"
    assert listed.stdout.split() == ["2025.10.1", "2025-10-01T07:00:00+00:00", "/n"]
    assert json.loads(as_json.stdout) == [{"id": "2025.10.1", "releasedAt": "2025-10-01T07:00:00Z", "notesUrl": "/n"}]
    assert (removed.returncode, removed.stdout) == (0, "2025.10.1 removed\n")
    assert (gone.returncode, gone.stderr) == (1, "pulsekeeper: there is no release '2025.10.1'\n")
