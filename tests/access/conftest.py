"""Issuers for the tests of this room."""

from collections.abc import AsyncIterator, Iterator

import pytest
import trio
from trio.testing import MockClock

from pulsekeeper.access.fetch import fetch_keys, open_client
from pulsekeeper.access.issuers import IssuerKeys
from pulsekeeper.access.jwks import KeySet
from pulsekeeper.access.model import Settings
from tests.access.parts import OLD
from tests.support.issuer import Issuer, IssuerProcess, issuer_process


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


@pytest.fixture
def lone_issuer(fragile_issuers: IssuerProcess) -> Issuer:
    """An issuer with one key, on a server that the test may kill."""
    return fragile_issuers.open_issuer(OLD)


@pytest.fixture
async def keys(lone_issuer: Issuer, mock_clock: MockClock, nursery: trio.Nursery) -> AsyncIterator[IssuerKeys]:
    """The keys of that issuer, with the default settings. Trio's time stands still unless the test moves it."""
    async with open_client() as client:

        async def fetch(_: object) -> KeySet:
            return await fetch_keys(client, lone_issuer.settings())

        keys = IssuerKeys(lone_issuer.settings(), Settings(), fetch)
        nursery.start_soon(keys.run)
        yield keys
        nursery.cancel_scope.cancel()
