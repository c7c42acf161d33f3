"""One node that the tests of this folder share, as long as they leave it as it is."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.support.postgres import ServerProcess, database_of, run_sql, unique_name
from tests.support.service import Service, running_service


@pytest.fixture(scope="session")
def house_database_url(postgres_server: ServerProcess) -> Iterator[str]:
    """The database of the shared node: empty at first, the node makes its own schema."""
    name = unique_name("house")
    run_sql(postgres_server.admin_url, f"create database {name}")
    yield database_of(postgres_server.admin_url, name)
    run_sql(postgres_server.admin_url, f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def house(house_database_url: str) -> Iterator[Service]:
    """A node that is ready. Its visits have no gap, so every call is one; its pages wait for as long as it takes."""
    with running_service(house_database_url, decisions__budget="20s", decisions__patience="20s") as service:
        yield service


@pytest.fixture
async def client(house: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the shared node."""
    async with house.client() as client:
        yield client
