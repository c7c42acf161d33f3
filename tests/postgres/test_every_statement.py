"""Every statement of every room, held against the migrated schema."""

import pytest

from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import Query, all_queries

STATEMENTS = {f"{room}.{query.name}": query for room, queries in all_queries().items() for query in queries}


@pytest.mark.parametrize("query", STATEMENTS.values(), ids=STATEMENTS.keys())
async def test_the_server_accepts(query: Query, database: Database) -> None:
    """Its tables, columns, types and parameters exist."""
    await database.prepare(query)
