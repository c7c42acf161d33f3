"""How often a person was here: in all, in this local week, on this local day."""

from msgspec.structs import replace

from pulsekeeper.decisions.rules.calendar import LocalDay, iso_week, local_day
from pulsekeeper.decisions.rules.model import MOST, VisitorState, Visits


def counted(before: VisitorState | None, today: LocalDay, *, is_new: bool) -> Visits:
    """The counters after a call on the local day `today`, which starts a visit if `is_new`.

    A visit belongs to the day on which it began. Whenever the day or the week is another one than before, counting
    begins anew, also for somebody who has travelled back over midnight.
    """
    day, week = today.day, today.week
    if before is None:
        return Visits(today=1, this_week=1, total=1, day=day, week=week)
    old = before.visits
    if not (old.day and old.week):
        old = _dated(old, before, today)
    return Visits(
        today=min((old.today if old.day == day else 0) + is_new, MOST),
        this_week=min((old.this_week if old.week == week else 0) + is_new, MOST),
        total=min(old.total + is_new, MOST),
        day=day,
        week=week,
    )


def _dated(visits: Visits, before: VisitorState, today: LocalDay) -> Visits:
    day = local_day(before.last_seen_at, today.zone)
    return replace(visits, day=visits.day or day.isoformat(), week=visits.week or iso_week(day))
