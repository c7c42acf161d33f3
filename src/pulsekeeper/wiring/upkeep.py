"""What each room wants to have done to its tables now and then: by the caretaker, or by `pulsekeeper maintain`."""

from collections.abc import Mapping
from functools import partial

from pulsekeeper.config import Config
from pulsekeeper.decisions.audit import maintenance as decisions_maintenance
from pulsekeeper.postgres.upkeep import Upkeep
from pulsekeeper.sessions.upkeep import maintenance as sessions_maintenance


def upkeep(config: Config) -> Mapping[str, Upkeep]:
    """By the names of the rooms."""
    return {
        "decisions": partial(decisions_maintenance.maintain, config.decisions),
        "sessions": partial(sessions_maintenance.maintain, config.sessions),
    }
