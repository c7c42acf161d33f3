"""Ten flags of Unleash that ask what the ten campaigns of `examples` ask, and people who are asked about."""

from collections.abc import Mapping
from typing import Any

PROJECT = "/api/admin/projects/default"


def _constraint(name: str, operator: str, *values: str) -> dict[str, Any]:
    many = operator == "IN"
    return {"contextName": name, "operator": operator, ("values" if many else "value"): values if many else values[0]}


_KINDS = (
    [_constraint("release", "SEMVER_EQ", "2026.3.0")],
    [_constraint("daysSinceLastSeen", "NUM_GT", "30")],
    [_constraint("beta", "IN", "yes")],
    [
        _constraint("visits", "NUM_GTE", "5"),
        _constraint("visitsToday", "NUM_GT", "2"),
        _constraint("calendar", "IN", "yes"),
    ],
    [
        _constraint("visits", "NUM_LTE", "20"),
        _constraint("deviceType", "IN", "phone"),
        _constraint("region", "IN", "US", "DE"),
    ],
)
_ROLLED_OUT = 2
"""The kind that is for a quarter of all people."""
_IN_THE_QUARTER = "matching-00000000"


def _strategy(flag: str, kind: int) -> dict[str, Any]:
    share = "25" if kind == _ROLLED_OUT else "100"
    parameters = {"rollout": share, "stickiness": "userId", "groupId": "beta" if kind == _ROLLED_OUT else flag}
    return {"name": "flexibleRollout", "constraints": _KINDS[kind], "parameters": parameters}


FLAGS = {f"flag-{number}": _strategy(f"flag-{number}", number % len(_KINDS)) for number in range(10)}
"""The strategy of each flag by its name."""


def regular(user_id: str) -> Mapping[str, str]:
    """Somebody who comes every day, and whom no flag fits, as no campaign does."""
    return {
        "userId": user_id,
        "appName": "benchmark",
        "release": "2026.2.0",
        "daysSinceLastSeen": "0",
        "visits": "60",
        "visitsToday": "1",
        "calendar": "yes",
        "search": "yes",
        "deviceType": "laptop",
        "region": "US-MA",
        "plan": "free",
    }


def matching() -> Mapping[str, str]:
    """Somebody whom every flag fits."""
    return {
        "userId": _IN_THE_QUARTER,
        "appName": "benchmark",
        "release": "2026.3.0",
        "daysSinceLastSeen": "40",
        "visits": "6",
        "visitsToday": "3",
        "beta": "yes",
        "calendar": "yes",
        "deviceType": "phone",
        "region": "US",
    }
