"""When it makes sense to ask again: the earliest moment at which the answer can change while nobody does anything.

Too early is a wasted call and too late a message that waits, so whatever cannot be known is left to the upper limit.
People are spread over a tenth of the time on either side, each always the same way, so that nobody comes back in step.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from pulsekeeper.decisions.rules.entries import Entry
from pulsekeeper.decisions.rules.model import Verdict
from pulsekeeper.decisions.rules.offers import NEVER, NOTHING
from pulsekeeper.decisions.rules.people import spread
from pulsekeeper.decisions.rules.visits import Visit

_SPREAD = 0.1


def next_check(visit: Visit, entries: Sequence[Entry], verdicts: Sequence[Verdict]) -> int:
    """Whole seconds from now, within the policy's limits and at most a tenth off the earliest possible change.

    The spread never leaves the limits: at the upper one all of it lies below.
    """
    waits = [_wait(entry, visit, verdict) for entry, verdict in zip(entries, verdicts, strict=True)]
    upcoming = visit.terms.releases.upcoming(visit.now)
    release = NEVER if upcoming is None else upcoming - visit.now
    return _spread_out(min([release, *waits]), visit)


def _wait(entry: Entry, visit: Visit, verdict: Verdict) -> timedelta:
    if verdict.verdict == "shown":
        return min(_reservation(entry, visit), _end(entry, visit))
    find = _WAITS.get(verdict.reason)
    return NEVER if find is None else find(entry, visit)


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
    return timedelta(days=entry.campaign.trigger.min_days_since_last_seen or 0)


_WAITS: Mapping[str, Callable[[Entry, Visit], timedelta]] = {
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
