"""The API's own description against the API: whatever it allows is understood, whatever it forbids is refused."""

import subprocess
import sys
from pathlib import Path

from tests.support.service import ADMIN_KEY, Service

CONFIGURATION = f"""
[generation]
deterministic = true
max-examples = 40
allow-x00 = false  # a schema cannot say it, but no string may have a NUL

[checks.negative_data_rejection]
expected-statuses = ["400", "401", "405", "413", "415"]

[checks.positive_data_acceptance]
enabled = false  # a schema cannot say what members violate together

[phases.stateful]
enabled = false  # nothing here makes what another operation would use

[[operations]]
exclude-path = "/api/experience/decide"  # which takes no key
headers = {{ Authorization = "Bearer {ADMIN_KEY}" }}

[[operations]]
include-path = "/api/experience/simulate"
[operations.checks.response_schema_conformance]
enabled = false  # a state with the highest number of visits that there may be has one more afterwards
"""


def test_the_description_is_true(house: Service, tmp_path: Path) -> None:
    """A thousand requests, the same each time: made from the schemas, at their edges and beyond them."""
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)

    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{house.url}/openapi.json"]
    tried = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "No issues found" in tried.stdout
