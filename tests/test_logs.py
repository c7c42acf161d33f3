"""Lines of the log: one object each, with the module that says it."""

from collections.abc import Iterator

import msgspec
import pytest
import structlog

from pulsekeeper import logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_line_says_which_module_it_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    """The names that loggers were asked for by got lost."""
    logs.configure("info", "json")
    structlog.get_logger("pulsekeeper.web").info("request", status=200)

    line = msgspec.json.decode(capsys.readouterr().err)
    assert (line["logger"], line["event"], line["level"], line["status"]) == ("pulsekeeper.web", "request", "info", 200)


def test_people_see_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "text")
    structlog.get_logger("pulsekeeper.web").info("request")

    assert "pulsekeeper.web" in capsys.readouterr().err
