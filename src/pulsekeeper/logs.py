"""Structured logs on standard error: one JSON object a line for machines, or text for people.

Values never come with their surroundings: no local variables in tracebacks, so that no address, key or body slips in.
"""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import Processor


def configure(level: Literal["debug", "info", "warning", "error"], form: Literal["json", "text"]) -> None:
    """Set up logging for this process; to be called once, before anything is logged."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_renderers(form),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _renderers(form: Literal["json", "text"]) -> list[Processor]:
    if form == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
