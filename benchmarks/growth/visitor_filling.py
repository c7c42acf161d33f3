"""Makes visitors known past any node, by COPY."""

from collections.abc import Iterator
from datetime import datetime
from math import ceil

import msgspec

from benchmarks import examples, report, servers, sites
from pulsekeeper.clock import utc_now
from pulsekeeper.decisions.rulebook.salt_store import SaltStore
from pulsekeeper.decisions.rules.model import Settings
from pulsekeeper.decisions.rules.people import anonymous_key
from pulsekeeper.postgres.queries import inline

_LOT = 20_000
"""Visitors in one COPY."""
_VACUUM, _CHECKPOINT = inline("vacuum (freeze, analyze) visitors"), inline("checkpoint")
_ROW_SIZE = inline("select pg_total_relation_size('visitors')::float8 / greatest(count(*), 1) from visitors")


async def fill_visitors(url: str, visitors: int) -> float:
    """Make so many known, as if each had come for months. Gives the bytes that one takes on the disk."""
    async with servers.connected(url) as database:
        salt = (await SaltStore(database).salts()).in_force
        with report.preparing(f"loading {visitors:,} visitors", ceil(visitors / _LOT)) as say:
            for begun in range(0, visitors, _LOT):
                say(f"{begun:,}")
                lot = range(begun, min(begun + _LOT, visitors))
                await database.copy_in(
                    "visitors", ("person_key", "version", "last_seen_at", "state"), _rows(lot, salt, utc_now())
                )
        await settle(url)
        return float(await database.fetch_value(_ROW_SIZE))


async def settle(url: str) -> None:
    """Have PostgreSQL tidy up after many have come: it would do so by itself in the midst of a measurement."""
    async with servers.connected(url) as database, database.connection(patient=True) as connection:
        await connection.execute(_VACUUM)
        await connection.execute(_CHECKPOINT)


def _rows(numbers: range, salt: bytes, now: datetime) -> Iterator[tuple[str, int, datetime, bytes]]:
    state, environment = examples.regular(now), Settings().environment
    encoded = msgspec.json.encode(state)
    for number in numbers:
        key = anonymous_key("visitor", sites.visitor_id(number), environment=environment, salt=salt)
        yield key, state.version, state.last_seen_at, encoded
