"""Fills tables past any node: visitors by COPY, and a log out of copies of real rows of it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from math import ceil

import msgspec

from benchmarks import examples, report, servers, sites
from pulsekeeper.clock import utc_now
from pulsekeeper.decisions.audit.maintenance import DECISION_LOG
from pulsekeeper.decisions.rulebook.salt_store import SaltStore
from pulsekeeper.decisions.rules.model import Settings
from pulsekeeper.decisions.rules.people import anonymous_key
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.partition_store import PartitionStore
from pulsekeeper.postgres.partitions import making, midnight, name_of
from pulsekeeper.postgres.queries import inline
from pulsekeeper.postgres.transactions import Connection

DAYS = 30
"""Over which a log is spread, today included."""
_LOT = 20_000
"""Visitors in one COPY."""
_PEOPLE = 1_000_000
"""Of whom the rows of a log are, at most."""

_ANALYZE, _CHECKPOINT = inline("analyze"), inline("checkpoint")
_ROW_SIZE = inline("select pg_total_relation_size('visitors')::float8 / greatest(count(*), 1) from visitors")
_LOG_SIZE = inline(
    "select sum(pg_total_relation_size(inhrelid))::float8 from pg_inherits where inhparent = 'decision_log'::regclass"
)
_COPY_LOG = inline("""
    with sample as materialized (
        select row_number() over () - 1 as number, * from decision_log where state_before is not null limit 1000
    ),
    copies as (
        select
            date_trunc('milliseconds', :start::timestamptz + random() * :length::interval) as at,
            'visitor:' || encode(sha256(floor(random() * :people)::text::bytea), 'hex') as person,
            copy % (select count(*) from sample) as number
        from generate_series(1, :rows) as copy
    )
    insert into decision_log
        (decision_id, decided_at, person_key, identity, rule_book, request, state_before, reply, reasons)
    select
        (
            lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0')
            || overlay(overlay(substr(md5(random()::text), 1, 20) placing '7' from 1) placing '8' from 5)
        )::uuid,
        at, person, identity, rule_book, request, state_before, reply, reasons
    from copies
    join sample using (number)
""")


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
        await _settle(database)
        return float(await database.fetch_value(_ROW_SIZE))


async def fill_log(url: str, rows: int) -> float:
    """Add so many decisions of the last days to a log that has some, each day's to its own partition.

    A copy differs from its original in the id, the moment and the person. Gives the bytes of the log on the disk.
    """
    async with servers.connected(url) as database:
        now = utc_now()
        async with database.connection(patient=True) as connection:
            with report.preparing(f"filling a log with {rows:,} rows", DAYS) as say:
                for ago in range(DAYS):
                    say(f"{DAYS - ago} days to go")
                    share = (ago + 1) * rows // DAYS - ago * rows // DAYS
                    await _fill_day(connection, now - timedelta(days=ago), now, share)
            await _settle(connection)
        return float(await database.fetch_value(_LOG_SIZE))


async def _fill_day(connection: Connection, moment: datetime, now: datetime, rows: int) -> None:
    """As far as the day is over by now."""
    start = midnight(moment.date())
    if name_of(DECISION_LOG, moment.date()) not in await PartitionStore(connection).partitions(DECISION_LOG):
        async with connection.transaction() as transaction:
            await transaction.run_script(making(DECISION_LOG, moment.date()))
    length = min(now - start, timedelta(days=1))
    added = await connection.execute(_COPY_LOG, start=start, length=length, people=_PEOPLE, rows=rows)
    if added != rows:
        raise servers.ServerFailed(f"{added} of {rows} rows of a log were made: there is nothing to copy")


async def _settle(database: Database | Connection) -> None:
    """What the server would do some time later does not belong into a measurement."""
    await database.execute(_ANALYZE)
    await database.execute(_CHECKPOINT)


def _rows(numbers: range, salt: bytes, now: datetime) -> Iterator[tuple[str, int, datetime, bytes]]:
    state, environment = examples.regular(now), Settings().environment
    encoded = msgspec.json.encode(state)
    for number in numbers:
        key = anonymous_key("visitor", sites.visitor_id(number), environment=environment, salt=salt)
        yield key, state.version, state.last_seen_at, encoded
