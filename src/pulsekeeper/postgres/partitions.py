"""Tables that are kept by the day: which days should have a partition, which are too old, and what makes or drops one.

Days are those of UTC. A day without a partition loses nothing: its rows go to the default partition, and are moved when
the day's own is made. Dropping a day costs nothing, however much was stored; deleting its rows would take hours.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from msgspec import Struct

AHEAD = 7
"""Days that are ready before they begin: as long may the upkeep fail before anybody notices."""

_DAY = timedelta(days=1)


class Kept(Struct, frozen=True, kw_only=True):
    """A table that is partitioned by day."""

    table: str
    moment: str
    """The column that tells to which day a row belongs."""

    @property
    def default(self) -> str:
        """The default partition: of the days that have none of their own."""
        return f"{self.table}_default"


def name_of(kept: Kept, day: date) -> str:
    """The partition of a day, `decision_log_20251015`."""
    return f"{kept.table}_{day:%Y%m%d}"


def midnight(day: date) -> datetime:
    """When a day begins. A partition has the rows from this moment until the next midnight, which is not in it."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def missing(kept: Kept, partitions: Iterable[str], now: datetime) -> list[date]:
    """Today and the next days, as far as they have no partition yet."""
    present, today = set(partitions), now.astimezone(UTC).date()
    days = [today + number * _DAY for number in range(AHEAD + 1)]
    return [day for day in days if name_of(kept, day) not in present]


def outdated(kept: Kept, partitions: Iterable[str], before: datetime) -> list[date]:
    """The days that had ended by `before`, oldest first. What has no day in its name is not ours to drop."""
    days = filter(None, (_day_of(kept, name) for name in partitions))
    return sorted(day for day in days if midnight(day + _DAY) <= before)


def making(kept: Kept, day: date) -> str:
    """The script, for one transaction, that makes a day's partition and moves what is already there of that day.

    The lock is on the whole table, however briefly: an insert that has already found its way to the default partition
    when the day's own appears would fail.
    """
    name, start, end = name_of(kept, day), midnight(day).isoformat(), midnight(day + _DAY).isoformat()
    return f"""
        lock table {kept.table} in access exclusive mode;
        create table {name} (like {kept.table} including all);
        with moved as (
            delete from {kept.default} where {kept.moment} >= '{start}' and {kept.moment} < '{end}' returning *
        )
        insert into {name} select * from moved;
        alter table {kept.table} attach partition {name} for values from ('{start}') to ('{end}');
    """  # noqa: S608  # made of names and dates that are all our own


def dropping(kept: Kept, day: date) -> str:
    """The script that drops a day with all of its rows."""
    return f"drop table {name_of(kept, day)}"


def deleting_stray(kept: Kept) -> str:
    """The statement that deletes at most `:limit` rows from `:before`, as far as no day's partition has them."""
    return f"""
        delete from {kept.default}
        where ctid = any(array(select ctid from {kept.default} where {kept.moment} < :before limit :limit))
    """  # noqa: S608  # made of names that are all our own


def _day_of(kept: Kept, name: str) -> date | None:
    found = re.fullmatch(rf"{kept.table}_([0-9]{{8}})", name)
    try:
        return None if found is None else date.fromisoformat(found[1])
    except ValueError:
        return None
