"""Fills the log past any node, with copies of real rows of it.

The server makes the rows by itself (`insert ... select ... from generate_series`), two days at once, into tables that
have no indexes yet; then each of them gets the indexes of the log and becomes a partition of it. Days that have a
partition already, such as today, are filled through their indexes. Nothing is unlogged: all of it goes through the
journal to the disk, as what the service writes does, but meanwhile checkpoints are put off (`max_wal_size`), so that a
page goes there once. In the end all is vacuumed, which would happen by itself in the midst of a measurement otherwise.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial

import trio
from msgspec import Struct

from benchmarks import report, servers
from pulsekeeper.clock import utc_now
from pulsekeeper.decisions.audit.maintenance import DECISION_LOG
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.partition_store import PartitionStore
from pulsekeeper.postgres.partitions import midnight, name_of
from pulsekeeper.postgres.queries import inline
from pulsekeeper.postgres.transactions import Connection

DAYS = 30
"""Over which a log is spread, today included."""
_AT_ONCE = 2
"""Days that are filled at the same time: as many as PostgreSQL has cores here to fill them with."""
_PEOPLE = 1_000_000
"""Of whom the rows of a log are, at most."""
_DAY = timedelta(days=1)

_SIZE = inline(
    "select sum(pg_total_relation_size(inhrelid))::float8 from pg_inherits where inhparent = 'decision_log'::regclass"
)
_SAMPLE = inline("""
    create table log_sample as
    select row_number() over () - 1 as number, * from decision_log where state_before is not null limit 1000
""")
_SAMPLE_SIZE, _DROP_SAMPLE = inline("select count(*) from log_sample"), inline("drop table log_sample")
_RELOAD, _CHECKPOINT = inline("select pg_reload_conf()"), inline("checkpoint")
_COPY = """
    with copies as (
        select
            date_trunc('milliseconds', :start::timestamptz + random() * :length::interval) as at,
            'visitor:' || encode(sha256(floor(random() * :people)::text::bytea), 'hex') as person,
            copy % :sample as number
        from generate_series(1, :rows) as copy
    )
    insert into {name}
        (decision_id, decided_at, person_key, identity, rule_book, request, state_before, reply, reasons)
    select
        (
            lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0')
            || overlay(overlay(substr(md5(random()::text), 1, 20) placing '7' from 1) placing '8' from 5)
        )::uuid,
        at, person, identity, rule_book, request, state_before, reply, reasons
    from copies
    join log_sample using (number)
"""
"""A copy differs from its original in the id, the moment and the person."""
_MAKE = "create table {name} (like decision_log including all excluding indexes)"
_JOIN = """
    set local maintenance_work_mem = '256MB';
    alter table {name} add primary key (decided_at, decision_id);
    create index on {name} (person_key);
    alter table {name} add constraint its_day check (decided_at >= '{start}' and decided_at < '{end}');
    alter table decision_log attach partition {name} for values from ('{start}') to ('{end}');
    alter table {name} drop constraint its_day;
"""
"""The constraint tells the server that all rows are of the day; it would look at each of them once more."""
_VACUUM = "vacuum (freeze, analyze) {name}"


class _Day(Struct, frozen=True, kw_only=True):
    """What is to be done for one day."""

    day: date
    length: timedelta
    """How much of it is over."""
    rows: int
    sample: int
    """Rows to be copied."""

    def sql(self, text: str) -> str:
        """A statement about this day."""
        start, end = midnight(self.day), midnight(self.day + _DAY)
        return text.format(name=name_of(DECISION_LOG, self.day), start=start.isoformat(), end=end.isoformat())


async def fill_log(url: str, rows: int) -> float:
    """Add so many decisions of the last days to a log that has some. Gives the bytes of the log on the disk."""
    async with servers.connected(url) as database:
        await _put_off_checkpoints(database, "'16GB'")
        await database.execute(_SAMPLE)
        sample = int(await database.fetch_value(_SAMPLE_SIZE))
        if not sample:
            raise servers.ServerFailed("there is nothing in the log that could be copied")
        await _fill(database, _days(rows, sample, utc_now()))
        await database.execute(_DROP_SAMPLE)
        await _put_off_checkpoints(database, "default")
        await database.execute(_CHECKPOINT)
        return float(await database.fetch_value(_SIZE))


def _days(rows: int, sample: int, now: datetime) -> list[_Day]:
    shares = [(ago + 1) * rows // DAYS - ago * rows // DAYS for ago in range(DAYS)]
    days = [now - ago * _DAY for ago in range(DAYS)]
    return [
        _Day(day=day.date(), length=min(now - midnight(day.date()), _DAY), rows=share, sample=sample)
        for day, share in zip(days, shares, strict=True)
    ]


async def _fill(database: Database, days: list[_Day]) -> None:
    """Some days at once, as there are some cores."""
    limit = trio.CapacityLimiter(_AT_ONCE)
    with report.preparing(f"filling a log with {sum(day.rows for day in days):,} rows", len(days)) as say:
        async with trio.open_nursery() as nursery:
            for day in days:
                nursery.start_soon(partial(_fill_day, database, day, limit, say))


async def _fill_day(database: Database, day: _Day, limit: trio.CapacityLimiter, say: Callable[[str], None]) -> None:
    async with limit, database.connection(patient=True) as connection:
        say(f"{day.day}")
        is_new = name_of(DECISION_LOG, day.day) not in await PartitionStore(connection).partitions(DECISION_LOG)
        if is_new:
            await connection.run_script(day.sql(_MAKE))
        await _copy(connection, day)
        if is_new:
            await connection.run_script(day.sql(_JOIN))
        await connection.execute(inline(day.sql(_VACUUM)))


async def _copy(connection: Connection, day: _Day) -> None:
    given = {"start": midnight(day.day), "length": day.length, "people": _PEOPLE, "rows": day.rows}
    added = await connection.execute(inline(day.sql(_COPY)), sample=day.sample, **given)
    if added != day.rows:
        raise servers.ServerFailed(f"{added} of {day.rows} rows of a log were made")


async def _put_off_checkpoints(database: Database, size: str) -> None:
    await database.execute(inline(f"alter system set max_wal_size = {size}"))
    await database.execute(_RELOAD)
