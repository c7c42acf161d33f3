"""The whole configuration: one strict Struct made of the rooms' own settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from pulsekeeper.access.model import Settings as AuthSettings
from pulsekeeper.config.load import Loaded, load_as
from pulsekeeper.decisions.rules.model import Settings as DecisionSettings
from pulsekeeper.postgres.settings import Settings as DatabaseSettings
from pulsekeeper.scalars import Duration
from pulsekeeper.sessions.model import Settings as SessionSettings
from pulsekeeper.web.settings import Settings as WebSettings


class LogSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written to standard error, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important message that is still written."""
    format: Literal["json", "text"] = "json"
    """One JSON object a line for machines, or coloured text for people."""


class ShutdownSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the service ends."""

    grace: Duration = Duration(seconds=20)
    """How long a stop may take before what still runs is cancelled. Keep it below what the orchestrator allows."""


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set, a section for each room."""

    web: WebSettings = WebSettings()
    database: DatabaseSettings = DatabaseSettings()
    auth: AuthSettings = AuthSettings()
    decisions: DecisionSettings = DecisionSettings()
    sessions: SessionSettings = SessionSettings()
    log: LogSettings = LogSettings()
    shutdown: ShutdownSettings = ShutdownSettings()


def load(paths: Sequence[Path], environ: Mapping[str, str]) -> Loaded[Config]:
    """The configuration that holds, and where each setting that is not a default came from.

    Raises `ConfigError` with everything that is wrong with it; see `load_as`.
    """
    return load_as(Config, paths, environ)
