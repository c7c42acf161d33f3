"""A node that has started: what it answers, and to whom."""

import httpx

from tests.house.parts import ask, shown, tree_of
from tests.support.service import ADMIN, Service, run_command

ACTORS = [
    "keepers",
    "schema",
    "minds",
    "decider",
    "timekeeper",
    "keykeeper",
    "recorder",
    "reaper",
    "accountant",
    "caretaker",
    "timers",
    "front",
]


async def test_a_started_node_decides(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "visitor-boot")

    assert (answer.status, answer.committed, shown(answer)) == (200, True, [])
    assert 60 <= answer.reply.next_check_in_seconds <= 3600


async def test_it_says_that_it_is_alive_and_ready(client: httpx.AsyncClient) -> None:
    alive, ready = await client.get("/healthz"), await client.get("/readyz")

    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "reasons": []})


async def test_every_actor_runs_in_the_order_of_the_plan(client: httpx.AsyncClient) -> None:
    actors = await tree_of(client)

    assert [path.rpartition("/")[2] for path in actors] == ACTORS
    assert {node.state.value for node in actors.values()} == {"running"}
    assert {node.restarts for node in actors.values()} == {0}


async def test_a_created_key_opens_what_its_scope_says(client: httpx.AsyncClient, house_database_url: str) -> None:
    keys = {scope: _create_key(house_database_url, scope) for scope in ("metrics", "worker")}

    metrics = await client.get("/metrics", headers=keys["metrics"])
    too_little = await client.post("/api/experience/simulate", headers=keys["worker"])
    nobody = await client.get("/metrics")

    assert metrics.status_code == 200
    assert 'pulsekeeper_actor_running{actor="minds/decider"} 1.0' in metrics.text
    assert (too_little.status_code, too_little.json()["title"]) == (403, "Forbidden")
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "Bearer")


async def test_the_configured_key_opens_everything(client: httpx.AsyncClient) -> None:
    assert (await client.get("/metrics", headers=ADMIN)).status_code == 200


def _create_key(database_url: str, scope: str) -> dict[str, str]:
    created = run_command(database_url, "keys", "create", "--scope", scope)
    assert created.returncode == 0, created.stderr
    return {"Authorization": f"Bearer {created.stdout.strip()}"}


def test_the_tree_can_be_printed(house: Service, house_database_url: str) -> None:
    printed = run_command(house_database_url, "tree", "--url", house.url)

    assert printed.returncode == 0, printed.stderr
    assert [word for word in printed.stdout.split() if word in ACTORS] == ACTORS


def test_a_port_that_is_taken_is_a_sentence_and_not_a_crash(house: Service, house_database_url: str) -> None:
    second = run_command(house_database_url, "serve", web__bind=f"127.0.0.1:{house.port}")

    assert second.returncode == 1
    assert second.stderr == f"pulsekeeper: cannot listen on 127.0.0.1:{house.port}: Address already in use\n"
