"""What every test may ask for: a database of its own, on a real server that the whole run shares."""

from collections.abc import AsyncIterator, Iterator

import pytest
import trio

from pulsekeeper.clock import utc_now
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.migrator import migrate
from tests.support.postgres import ServerProcess, database_of, private_server, run_sql, settings_for, unique_name

_TEMPLATE = "pulsekeeper_template"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[ServerProcess]:
    """The server that tests share, with a migrated template. For tests that leave it as it is; see `fragile_server`."""
    with private_server() as server:
        run_sql(server.admin_url, f"create database {_TEMPLATE}")
        trio.run(_migrate, database_of(server.admin_url, _TEMPLATE))
        yield server


@pytest.fixture
def database_url(postgres_server: ServerProcess) -> Iterator[str]:
    """A fresh database with the whole schema and no rows."""
    name = unique_name("t")
    run_sql(postgres_server.admin_url, f"create database {name} template {_TEMPLATE} strategy file_copy")
    yield database_of(postgres_server.admin_url, name)
    run_sql(postgres_server.admin_url, f"drop database {name} with (force)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open pool on a fresh database."""
    async with open_database(settings_for(database_url)) as database:
        yield database


@pytest.fixture(scope="session")
def _server_for_faults() -> Iterator[ServerProcess]:
    with private_server() as server:
        yield server


@pytest.fixture
def fragile_server(_server_for_faults: ServerProcess) -> ServerProcess:
    """A running server with an empty database, to be killed, frozen and restarted: nobody else uses it meanwhile."""
    server = _server_for_faults
    server.recover()
    name = unique_name("t")
    run_sql(server.admin_url, f"create database {name}")
    server.url = database_of(server.admin_url, name)
    return server


async def _migrate(url: str) -> None:
    async with open_database(settings_for(url)) as database:
        await migrate(database, utc_now())
