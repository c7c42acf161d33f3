"""How often a person was here: in all, in this local week, on this local day."""

from datetime import datetime, tzinfo

from msgspec.structs import replace

from pulsekeeper.decisions.rules.calendar import iso_week, local_day
from pulsekeeper.decisions.rules.model import MOST, VisitorState, Visits


def counted(before: VisitorState | None, now: datetime, zone: tzinfo, *, is_new: bool) -> Visits:
    """The counters after a call, which starts a visit if `is_new`.

    A visit belongs to the day on which it began. Whenever the day or the week is another one than before, counting
    begins anew, also for somebody who has travelled back over midnight.
    """
    today = local_day(now, zone)
    day, week = today.isoformat(), iso_week(today)
    if before is None:
        return Visits(today=1, this_week=1, total=1, day=day, week=week)
    old = before.visits
    if not (old.day and old.week):
        old = _dated(old, before.last_seen_at, zone)
    return Visits(
        today=min((old.today if old.day == day else 0) + is_new, MOST),
        this_week=min((old.this_week if old.week == week else 0) + is_new, MOST),
        total=min(old.total + is_new, MOST),
        day=day,
        week=week,
    )


def _dated(visits: Visits, last_seen_at: datetime, zone: tzinfo) -> Visits:
    day = local_day(last_seen_at, zone)
    return replace(visits, day=visits.day or day.isoformat(), week=visits.week or iso_week(day))
