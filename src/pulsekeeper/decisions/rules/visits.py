"""One call, seen against what was known before it: is this a new visit, how long was the person away, what day is it?

Rules look at the state *before* the call, plus this visit counted. What a client did while it answered from its cache
counts as having been seen, but no client can be seen in the future.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from functools import cached_property

import cel
from msgspec import Struct
from msgspec.structs import replace

from pulsekeeper.decisions.rules import expressions, offers
from pulsekeeper.decisions.rules.calendar import Bounds, Period, bounds, zone_of
from pulsekeeper.decisions.rules.counters import counted
from pulsekeeper.decisions.rules.entries import Entry
from pulsekeeper.decisions.rules.model import (
    MOST,
    Attribute,
    CampaignState,
    DecideRequest,
    Policy,
    VisitorState,
    Visits,
)
from pulsekeeper.decisions.rules.people import Person
from pulsekeeper.decisions.rules.releases import Releases

_DAY = timedelta(days=1)


class Terms(Struct, frozen=True, kw_only=True):
    """What holds for every campaign and every person."""

    releases: Releases
    policy: Policy
    exempt: frozenset[str]
    """The campaigns whose showings keep nothing else back."""
    named: frozenset[str]
    """The variables that any expression looks at."""


class Visit(Struct, frozen=True, kw_only=True, dict=True):
    """Everything that a rule may look at, except for the campaign."""

    terms: Terms
    person: Person
    before: VisitorState | None
    """`None` for a person who was never seen."""
    request: DecideRequest
    now: datetime
    zone: tzinfo
    flags: frozenset[str]
    away: timedelta | None
    """How long ago the person was last seen; `None` for a new one. Never negative."""
    is_new: bool
    """Whether this call starts a visit."""
    periods: dict[Period, Bounds]
    """Those that were asked for already: many campaigns have the same caps."""
    visits: Visits
    """The counters with this visit counted, for the local day and week of this call."""

    @property
    def is_first(self) -> bool:
        """Whether the person has never made a visit before this one."""
        return self.before is None or (not self.is_new and self.visits.total <= 1)

    @cached_property
    def states(self) -> dict[str, CampaignState]:
        """What the person and each campaign had to do with each other before."""
        return {} if self.before is None else self.before.campaigns

    def state_of(self, entry: Entry) -> CampaignState:
        """The same for one campaign; an empty one where there is none."""
        return self.states.get(entry.campaign.id, offers.UNTOUCHED)

    def held_back_for(self, entry: Entry) -> timedelta:
        """How long an open offer or a cap still keep a campaign back."""
        return offers.held_back_for(entry, self.state_of(entry), self.terms.policy, self.now, self.period)

    def period(self, name: Period) -> Bounds:
        """The day, week or month of this call in the person's zone."""
        found = self.periods.get(name)
        if found is None:
            found = self.periods[name] = bounds(self.now, self.zone, name)
        return found

    @cached_property
    def device_types(self) -> tuple[str, ...]:
        """What the client says about its device."""
        return _texts(self.request.attributes.get("deviceType"))

    @cached_property
    def regions(self) -> tuple[str, ...]:
        """Where the client says it is, with everything that lies around it: `US-MA` lies in `US`."""
        stated = _texts(self.request.attributes.get("region"))
        return tuple(around for region in stated for around in _surroundings(region))

    @cached_property
    def cooling(self) -> timedelta:
        """How long everything that is not exempt is still kept back by what was shown last."""
        return offers.cooling_for(self.states, self.terms.exempt, self.terms.policy, self.now)

    @cached_property
    def rest_of_day(self) -> timedelta:
        """How long the person's local day still lasts."""
        return self.period("day").end - self.now

    @cached_property
    def context(self) -> cel.Context | None:
        """What expressions see. Made only when the first one asks, and then shared by all of them."""
        return expressions.context({name: _VALUES[name](self) for name in self.terms.named})


def begin(terms: Terms, person: Person, before: VisitorState | None, request: DecideRequest, now: datetime) -> Visit:
    """Look at a call. `now` is in UTC."""
    zone = zone_of(request.timezone, request.timezone_offset)
    away = None if before is None else _away(before, request, now)
    is_new = away is None or away >= terms.policy.visit_gap
    return Visit(
        terms=terms,
        person=person,
        before=before,
        request=request,
        now=now,
        zone=zone,
        flags=frozenset(request.feature_flags),
        away=away,
        is_new=is_new,
        periods={},
        visits=counted(before, now, zone, is_new=is_new),
    )


def remembered(visit: Visit, campaigns: dict[str, CampaignState]) -> VisitorState:
    """The state after the call. A new person has seen the release that they arrive on; nothing moves back."""
    before, releases, running = visit.before, visit.terms.releases, visit.request.release_id
    if before is None:
        return VisitorState(
            first_seen_at=visit.now,
            last_seen_at=visit.now,
            visits=visit.visits,
            last_release_seen=running,
            last_release_visited=running,
            campaigns=campaigns,
            attributes=visit.request.attributes,
            version=1,
        )
    return replace(
        before,
        first_seen_at=before.first_seen_at or before.last_seen_at,
        last_seen_at=max(before.last_seen_at, visit.now),
        visits=visit.visits,
        last_release_visited=releases.newer(before.last_release_visited, running),
        campaigns=campaigns,
        attributes=visit.request.attributes or before.attributes,
        version=min(before.version + 1, MOST),
    )


def _texts(attribute: Attribute | None) -> tuple[str, ...]:
    if isinstance(attribute, str):
        return (attribute,)
    return attribute if isinstance(attribute, tuple) else ()


def _surroundings(region: str) -> list[str]:
    return [region, *(region[:at] for at, sign in enumerate(region) if sign == "-")]


def _away(before: VisitorState, request: DecideRequest, now: datetime) -> timedelta:
    seen = before.last_seen_at
    if request.last_client_action_at is not None:
        seen = max(seen, request.last_client_action_at)
    return max(now - seen, timedelta())


def _visitor(visit: Visit) -> dict[str, object]:
    known: dict[str, object] = {
        "kind": visit.person.kind,
        "firstVisit": visit.is_first,
        "lastReleaseSeen": (visit.before and visit.before.last_release_seen) or "",
    }
    return known if visit.away is None else known | {"daysSinceLastSeen": visit.away // _DAY}


def _counters(visit: Visit) -> dict[str, object]:
    return {"today": visit.visits.today, "thisWeek": visit.visits.this_week, "total": visit.visits.total}


def _auth(visit: Visit) -> dict[str, object]:
    return {"authenticated": visit.person.authenticated, "roles": visit.person.roles}


_VALUES: Mapping[str, Callable[[Visit], object]] = {
    "release": lambda visit: visit.request.release_id,
    "flags": lambda visit: visit.request.feature_flags,
    "visitor": _visitor,
    "visits": _counters,
    "attributes": lambda visit: visit.request.attributes,
    "now": lambda visit: visit.now,
    "auth": _auth,
}
"""The values of the variables of `expressions`."""
