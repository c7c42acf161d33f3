"""Issuers for the tests of this room."""

from collections.abc import Iterator

import pytest

from tests.support.issuer import IssuerProcess, issuer_process


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Issuers on this machine are asked directly, whatever the machine's way to the world is."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="session")
def issuers() -> Iterator[IssuerProcess]:
    """A server that tests share, each with issuers of its own. For tests that leave it running."""
    with issuer_process() as process:
        yield process


@pytest.fixture
def fragile_issuers() -> Iterator[IssuerProcess]:
    """A server for one test, which may kill it."""
    with issuer_process() as process:
        yield process
