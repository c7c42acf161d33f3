"""Operators change the rules over HTTP and by commands, while two nodes decide by them."""

import itertools
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
CUT = inline("select count(pg_terminate_backend(pid)) from pg_stat_activity where query ilike 'listen%rule_book%'")
SECOND = 1.0
Pair = tuple[httpx.AsyncClient, httpx.AsyncClient]
"""One of each node."""


@pytest.fixture
def nodes(database_url: str) -> Iterator[tuple[Service, Service]]:
    """Two nodes on one database."""
    with starting_service(database_url) as first, starting_service(database_url) as second:
        first.wait_ready()
        second.wait_ready()
        yield first, second


@pytest.fixture
async def pages(nodes: tuple[Service, Service]) -> AsyncIterator[Pair]:
    """A visitors' client of each."""
    async with nodes[0].client() as one, nodes[1].client() as other:
        yield one, other


@pytest.fixture
async def operators(nodes: tuple[Service, Service]) -> AsyncIterator[Pair]:
    """An operator's client of each."""
    async with nodes[0].client() as one, nodes[1].client() as other:
        one.headers.update(ADMIN)
        other.headers.update(ADMIN)
        yield one, other


@pytest.fixture
async def operator(house: Service) -> AsyncIterator[httpx.AsyncClient]:
    """An operator's client of the shared node."""
    async with house.client() as client:
        client.headers.update(ADMIN)
        yield client


async def until_shown(page: httpx.AsyncClient, *campaigns: str) -> None:
    """Return when new visitors of a node are shown exactly these."""
    with trio.fail_after(SECOND):
        for number in itertools.count():
            visitor = f"visitor-{trio.current_time():.0f}-{number}"
            if shown(await ask(page, visitor)) == [*campaigns]:
                return


async def test_a_change_is_in_force_on_every_node_within_a_second(operators: Pair, pages: Pair) -> None:
    async def check(answer: httpx.Response, *campaigns: str) -> None:
        assert answer.is_success
        for page in pages:
            await until_shown(page, *campaigns)

    operator, _ = operators
    await check(await operator.post(CAMPAIGNS, json=BANNER), "banner")
    await check(await operator.patch(f"{CAMPAIGNS}/banner", json={"active": False}))
    await check(await operator.put(f"{CAMPAIGNS}/banner", json=BANNER), "banner")
    await check(await operator.delete(f"{CAMPAIGNS}/banner"))


async def test_what_is_switched_off_is_not_shown_though_no_node_can_be_told(
    operators: Pair, pages: Pair, database: Database
) -> None:
    """The commit finds out: not a single page is shown it once the switch is answered."""
    operator, _ = operators
    await operator.put(f"{CAMPAIGNS}/banner", json=BANNER)
    for page in pages:
        await until_shown(page, "banner")

    assert await database.fetch_value(CUT) == 2
    assert (await operator.patch(f"{CAMPAIGNS}/banner", json={"active": False})).is_success

    for page in pages:
        assert shown(await ask(page, "visitor-after-the-cut")) == []


async def test_of_two_operators_on_two_nodes_one_wins(operators: Pair) -> None:
    tag = (await operators[0].post(CAMPAIGNS, json=BANNER)).headers["etag"]
    statuses: list[int] = []

    async def put(operator: httpx.AsyncClient, priority: int) -> None:
        body, headers = BANNER | {"priority": priority}, {"If-Match": tag}
        statuses.append((await operator.put(f"{CAMPAIGNS}/banner", json=body, headers=headers)).status_code)

    async with trio.open_nursery() as nursery:
        for number in range(1, 9):
            nursery.start_soon(put, operators[number % 2], number)

    assert sorted(statuses) == [200, *[412] * 7]


async def test_an_answer_outlives_its_campaign(operators: Pair, pages: Pair) -> None:
    operator, page = operators[0], pages[1]
    await operator.post(CAMPAIGNS, json=BANNER)
    await until_shown(page, "banner")
    await ask(page, "visitor-who-answers")

    assert (await operator.delete(f"{CAMPAIGNS}/banner")).status_code == 204
    await until_shown(page)
    report = {"campaignId": "banner", "outcome": "dismissed", "visitorId": "visitor-who-answers"}
    assert (await page.post("/api/experience/ack", json=report)).status_code == 204

    await operator.post(CAMPAIGNS, json=BANNER)
    await until_shown(page, "banner")
    assert shown(await ask(page, "visitor-who-answers")) == []


async def test_releases_are_told_by_deployments(operator: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    created = await operator.put(f"{RELEASES}/2025.10.1", json={"releasedAt": DATE})
    listed = (await operator.get(RELEASES)).json()["releases"]
    told = (await ask(client, "visitor-of-the-release")).reply.release_status

    assert (created.status_code, created.headers["location"]) == (201, f"{RELEASES}/2025.10.1")
    assert {"id": "2025.10.1", "releasedAt": DATE, "notesUrl": None} in listed
    assert told.latest_release_id == "2025.10.1"
    assert (await operator.delete(f"{RELEASES}/2025.10.1")).status_code == 204
    assert (await operator.get(f"{RELEASES}/2025.10.1")).status_code == 404


async def test_what_is_known_already_is_not_sent(operator: httpx.AsyncClient) -> None:
    tag = (await operator.get(CAMPAIGNS)).headers["etag"]

    again = await operator.get(CAMPAIGNS, headers={"If-None-Match": tag})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert "content-length" not in again.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("size", [64 * 1024 + 1, 10_000_000])
async def test_nothing_that_large_is_read(method: str, size: int, operator: httpx.AsyncClient) -> None:
    url = CAMPAIGNS if method == "POST" else f"{CAMPAIGNS}/banner"
    async with operator.stream(
        method, url, content=b"{}".ljust(size), headers={"Content-Type": "application/json"}
    ) as answer:
        assert answer.status_code == 413


@pytest.mark.parametrize("address", ["a/b", "a%2Fb", "..%2F..", "%00", "%ff", ""])
async def test_an_address_that_no_campaign_has_is_not_there(address: str, operator: httpx.AsyncClient) -> None:
    assert (await operator.get(f"{CAMPAIGNS}/{address}")).status_code == 404


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
