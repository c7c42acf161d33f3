"""What expressions see of a visit, and whether they hold."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from pulsekeeper.decisions.rules.expressions.compiled import Expression
from pulsekeeper.decisions.rules.expressions.grammar import OPEN
from pulsekeeper.decisions.rules.expressions.sights import MISSING, Sight, Sights
from pulsekeeper.decisions.rules.visits import Visit

_DAY = timedelta(days=1)


def holds(visit: Visit, expression: Expression) -> bool | None:
    """Whether an expression of the book gives `true`; `None` where it fails."""
    if expression.is_repeatable:
        if visit.repeatable is None:
            visit.repeatable = _sight(visit, visit.terms.repeatable)
        return visit.repeatable.holds(expression)
    if visit.passing is None:
        visit.passing = _sight(visit, visit.terms.passing)
    return visit.passing.holds(expression)


def _sight(visit: Visit, sights: Sights) -> Sight:
    return sights.of(tuple([_value(visit, path) for path in sights.paths]))


def _value(visit: Visit, path: str) -> object:
    find = _VALUES.get(path)
    return visit.request.attributes.get(path[len(OPEN) + 1 :], MISSING) if find is None else find(visit)


_VALUES: Mapping[str, Callable[[Visit], object]] = {
    "release": lambda visit: visit.request.release_id,
    "flags": lambda visit: visit.request.feature_flags,
    "visitor.kind": lambda visit: visit.person.kind,
    "visitor.firstVisit": lambda visit: visit.is_first,
    "visitor.lastReleaseSeen": lambda visit: (visit.before and visit.before.last_release_seen) or "",
    "visitor.daysSinceLastSeen": lambda visit: MISSING if visit.away is None else visit.away // _DAY,
    "visits.today": lambda visit: visit.visits.today,
    "visits.thisWeek": lambda visit: visit.visits.this_week,
    "visits.total": lambda visit: visit.visits.total,
    "attributes": lambda visit: visit.request.attributes,
    "now": lambda visit: visit.now,
    "auth.authenticated": lambda visit: visit.person.authenticated,
    "auth.roles": lambda visit: visit.person.roles,
}
"""The values of what expressions look at, but for single attributes."""
