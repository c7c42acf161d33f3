"""The API's own description against the API: whatever it allows is understood, whatever it forbids is refused."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.service import ADMIN_KEY, running_service

CONFIGURATION = f"""
[generation]
deterministic = true
max-examples = 12
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
exclude-path = ["/api/experience/decide", "/api/experience/ack"]  # which take no key
headers = {{ Authorization = "Bearer {ADMIN_KEY}" }}

[[operations]]
include-path = "/api/experience/simulate"
[operations.checks.response_schema_conformance]
enabled = false  # a state with the highest number of visits that there may be has one more afterwards
[operations.phases.coverage]
enabled = false  # a thousand cases, most of them of what other operations take as well

[[operations]]
include-path = "/api/experience/campaigns/{{id}}"
include-method = "PUT"
[operations.phases.coverage]
enabled = false  # takes what POST takes
"""


def test_the_description_is_true(database_url: str, tmp_path: Path) -> None:
    """Many hundred requests, the same each time: made from the schemas, at their edges and beyond them.

    To a node of its own: some of them are campaigns that everybody would be shown.
    """
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)

    with running_service(database_url) as house:
        command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{house.url}/openapi.json"]
        tried = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    assert tried.returncode == 0, tried.stdout + tried.stderr
    generated = re.search(r"(\d+) generated", tried.stdout)
    assert generated is not None
    assert int(generated[1]) > 500
