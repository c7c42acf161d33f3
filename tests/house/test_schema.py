"""The API's own description against the API: whatever it allows is understood, whatever it forbids is refused."""

import re
import subprocess
import sys
from pathlib import Path

import httpx

from tests.support.service import ADMIN_KEY, Service, running_service

HOOKS = Path(__file__).parent.parent / "support" / "schema_hooks.py"


def configuration(stayer: str, ender: str, leaver: str) -> str:
    """With the tokens of three sessions: one that is over, or withdrawn, is told nothing else by other operations."""
    return f"""
hooks = "{HOOKS}"
headers = {{ Authorization = "Bearer {ADMIN_KEY}" }}

[generation]
deterministic = true
max-examples = 8
allow-x00 = false  # a schema cannot say it, but no string may have a NUL

[checks.negative_data_rejection]
expected-statuses = ["400", "401", "404", "405", "413", "415"]

[checks.positive_data_acceptance]
enabled = false  # a schema cannot say what members violate together

[phases.coverage]
unexpected-methods = ["DELETE"]  # each of them on each path takes long, and one is refused like the other

[phases.stateful]
enabled = false  # nothing here makes what another operation would use

[[operations]]
include-path = ["/telemetry/ingest", "/telemetry/still-alive"]
headers = {{ Authorization = "Bearer {stayer}" }}

[[operations]]
include-path = "/telemetry/end-session"
headers = {{ Authorization = "Bearer {ender}" }}

[[operations]]
include-path = "/telemetry/withdraw"
headers = {{ Authorization = "Bearer {leaver}" }}

[[operations]]
include-path = "/telemetry/ingest"
[operations.checks.negative_data_rejection]
enabled = false  # an event that is not fit is refused by itself, among others that are stored

[[operations]]
include-path = "/api/experience/simulate"
[operations.checks.response_schema_conformance]
enabled = false  # a state with the highest number of visits that there may be has one more afterwards
[operations.phases.coverage]
enabled = false  # a thousand cases, most of them of what other operations take as well

[[operations]]
include-operation-id = ["startSessionByGet", "stillAliveByGet", "endSessionByGet"]
[operations.phases.coverage]
enabled = false  # take what POST takes

[[operations]]
include-path = "/api/experience/campaigns/{{id}}"
include-method = "PUT"
[operations.phases.coverage]
enabled = false  # takes what POST takes
"""


def token(house: Service) -> str:
    """Of a new session."""
    started = httpx.post(f"{house.url}/telemetry/start-session", json={}, trust_env=False)
    return str(started.json()["token"])


def test_the_description_is_true(database_url: str, tmp_path: Path) -> None:
    """Many hundred requests, the same each time: made from the schemas, at their edges and beyond them.

    To a node of its own: some of them are campaigns that everybody would be shown.
    """
    with running_service(database_url) as house:
        (tmp_path / "schemathesis.toml").write_text(configuration(token(house), token(house), token(house)))
        command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{house.url}/openapi.json"]
        tried = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    assert tried.returncode == 0, tried.stdout + tried.stderr
    generated = re.search(r"(\d+) generated", tried.stdout)
    assert generated is not None
    assert int(generated[1]) > 500
