"""When it makes sense to ask again: the earliest moment at which the answer can change while nobody does anything.

Too early is a wasted call and too late a message that waits, so whatever cannot be known is left to the upper limit.
People are spread over a tenth of the time on either side, each always the same way, so that nobody comes back in step.
"""

import math
from collections.abc import Callable, Mapping
from datetime import timedelta

from pulsekeeper.decisions.rules.entries import Entry
from pulsekeeper.decisions.rules.offers import NEVER, NOTHING
from pulsekeeper.decisions.rules.people import spread
from pulsekeeper.decisions.rules.visits import Visit

_SPREAD = 0.1


def next_check(visit: Visit, change: timedelta) -> int:
    """Whole seconds from now: at most a tenth off `change`, which is when the campaigns can change first, or a release.

    Always within the policy's limits; the spread never leaves them: at the upper one all of it lies below.
    """
    upcoming = visit.terms.releases.upcoming(visit.now)
    return _spread_out(change if upcoming is None else min(change, upcoming - visit.now), visit)


def shown_for(entry: Entry, visit: Visit) -> timedelta:
    """How long what is shown stays on offer."""
    return min(_reservation(entry, visit), _end(entry, visit))


def _beginning(entry: Entry, visit: Visit) -> timedelta:
    begins = entry.campaign.valid_from
    return NEVER if begins is None else begins - visit.now


def _end(entry: Entry, visit: Visit) -> timedelta:
    ends = entry.campaign.valid_to
    return NEVER if ends is None else ends - visit.now


def _reservation(_entry: Entry, visit: Visit) -> timedelta:
    return visit.terms.policy.reservation


def _next_visit(_entry: Entry, visit: Visit) -> timedelta:
    return visit.terms.policy.visit_gap


def _next_call(_entry: Entry, _visit: Visit) -> timedelta:
    return NOTHING


def _rest_of_day(_entry: Entry, visit: Visit) -> timedelta:
    return visit.rest_of_day


def _cooling(_entry: Entry, visit: Visit) -> timedelta:
    return visit.cooling


def _held_back(entry: Entry, visit: Visit) -> timedelta:
    return visit.held_back_for(entry)


def _absence(entry: Entry, _visit: Visit) -> timedelta:
    return entry.min_away or NOTHING


WAITS: Mapping[str, Callable[[Entry, Visit], timedelta]] = {
    "not_yet": _beginning,
    "release_new_person": _next_visit,
    "too_recent": _absence,
    "too_long_ago": _next_call,  # who has called is no longer away
    "too_few_visits": _next_visit,
    "too_many_today": _rest_of_day,
    "frequency": _held_back,
    "quiet": _rest_of_day,
    "cooldown": _cooling,
    "outranked": _reservation,
}
"""How long the refusals last that time alone can lift. The others take a new page, a new answer or an operator."""


def _spread_out(wait: timedelta, visit: Visit) -> int:
    policy = visit.terms.policy
    shortest, longest = policy.next_check_min.total_seconds(), policy.next_check_max.total_seconds()
    middle = max(min(wait.total_seconds(), longest), shortest)
    low, high = max(middle * (1 - _SPREAD), shortest), min(middle * (1 + _SPREAD), longest)
    return math.ceil(low + max(high - low, 0) * spread(visit.person.key))
