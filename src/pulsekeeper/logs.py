"""Structured logs on standard error: one JSON object a line for machines, or text for people.

Values never come with their surroundings: no local variables in tracebacks, so that no address, key or body slips in.
"""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor


def configure(level: Literal["debug", "info", "warning", "error"], form: Literal["json", "text"]) -> None:
    """Set up logging for this process; to be called once, before anything is logged."""
    structlog.configure(
        processors=[
            _add_name,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_renderers(form),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=_Logger,
        cache_logger_on_first_use=False,
    )


class _Logger(structlog.PrintLogger):
    """Writes to standard error, and knows by what name `structlog.get_logger` was asked for it."""

    def __init__(self, name: str = "") -> None:
        super().__init__(sys.stderr)
        self.name = name


def _add_name(logger: _Logger, _method: str, event: EventDict) -> EventDict:
    """Which module says it, as `logger`."""
    return {**event, "logger": logger.name}


def _renderers(form: Literal["json", "text"]) -> list[Processor]:
    if form == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
