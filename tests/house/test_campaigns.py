"""Campaigns that are applied from another process, while a node runs."""

import json
from pathlib import Path

import httpx
import trio

from tests.house.parts import ask, shown
from tests.support.service import Service, run_command
from tests.support.waiting import eventually

FLAG = "campaigns-of-this-file"
BANNER = {"id": "applied-banner", "type": "rollout", "action": "SHOW_BANNER", "trigger": {"featureFlags": [FLAG]}}


def write(folder: Path, **campaigns: object) -> str:
    """A file for each campaign."""
    for name, campaign in campaigns.items():
        (folder / f"{name}.json").write_text(json.dumps(campaign))
    return str(folder)


async def until_told(house: Service, before: str) -> None:
    """Return when the node has new rules in force, of which nobody but the database has told it; a second at most."""

    async def fact() -> bool:
        return house.log().count("rules_in_force") > before.count("rules_in_force")

    with trio.fail_after(1):
        await eventually(fact)


async def test_what_is_applied_is_in_force_within_a_second_and_so_is_its_end(
    house: Service, house_database_url: str, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    before = house.log()
    added = run_command(house_database_url, "campaigns", "apply", write(tmp_path, banner=BANNER))
    await until_told(house, before)
    first = await ask(client, "visitor-applied-1", featureFlags=[FLAG])

    before = house.log()
    changed = run_command(house_database_url, "campaigns", "apply", write(tmp_path, banner=BANNER | {"active": False}))
    await until_told(house, before)
    second = await ask(client, "visitor-applied-2", featureFlags=[FLAG])

    assert (added.returncode, added.stdout) == (0, "added applied-banner\n0 unchanged\n")
    assert shown(first) == ["applied-banner"]
    assert (changed.returncode, changed.stdout) == (0, "changed applied-banner\n0 unchanged\n")
    assert shown(second) == []


async def test_a_folder_with_faults_applies_nothing_and_tells_all_of_them(
    house_database_url: str, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    folder = write(
        tmp_path,
        good=BANNER | {"id": "would-be-good"},
        misspelt=BANNER | {"id": "misspelt", "prioritty": 7},
        reversed=BANNER | {"id": "reversed", "validFrom": "2026-02-01T00:00:00Z", "validTo": "2026-01-01T00:00:00Z"},
    )
    (tmp_path / "torn.json").write_text("{")

    refused = run_command(house_database_url, "campaigns", "apply", folder)
    answer = await ask(client, "visitor-applied-3", featureFlags=[FLAG])

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("pulsekeeper: nothing was applied, 3 faults\n")
    assert "misspelt.json/prioritty: unknown key 'prioritty'; did you mean 'priority'?" in refused.stderr
    assert "reversed.json/validTo" in refused.stderr
    assert "torn.json: cannot be read" in refused.stderr
    assert shown(answer) == []
