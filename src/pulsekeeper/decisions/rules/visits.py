"""One call, seen against what was known before it: is this a new visit, how long was the person away, what day is it?

Rules look at the state *before* the call, plus this visit counted. What a client did while it answered from its cache
counts as having been seen, but no client can be seen in the future.
"""

from datetime import datetime, timedelta

from msgspec import Struct

from pulsekeeper.decisions.rules import offers
from pulsekeeper.decisions.rules.calendar import Bounds, LocalDay, Period, bounds, local_day_in
from pulsekeeper.decisions.rules.counters import counted
from pulsekeeper.decisions.rules.entries import Entry
from pulsekeeper.decisions.rules.expressions.sights import Sight, Sights
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


class Terms(Struct, frozen=True, kw_only=True):
    """What holds for every campaign and every person."""

    releases: Releases
    policy: Policy
    exempt: frozenset[str]
    """The campaigns whose showings keep nothing else back."""
    repeatable: Sights
    """For the expressions whose answers are worth remembering."""
    passing: Sights
    """For the others."""


class Visit(Struct, gc=False):
    """Everything that a rule may look at, except for the campaign. What few rules ask is worked out when one does."""

    terms: Terms
    person: Person
    before: VisitorState | None
    """`None` for a person who was never seen."""
    request: DecideRequest
    now: datetime
    today: LocalDay
    """The day of this call where the person is."""
    flags: frozenset[str]
    away: timedelta | None
    """How long ago the person was last seen; `None` for a new one. Never negative."""
    is_first: bool
    """Whether the person has never made a visit before this one."""
    visits: Visits
    """The counters with this visit counted, for the local day and week of this call."""
    states: dict[str, CampaignState]
    """What the person and each campaign had to do with each other before."""
    _periods: dict[Period, Bounds] | None = None
    _device_types: tuple[str, ...] | None = None
    _regions: tuple[str, ...] | None = None
    _cooling: timedelta | None = None
    repeatable: Sight | None = None
    """What expressions see of it whose answers are worth remembering, once one has looked: see `seeing`."""
    passing: Sight | None = None
    """The same for the others."""

    def state_of(self, entry: Entry) -> CampaignState:
        """The same for one campaign; an empty one where there is none."""
        return self.states.get(entry.campaign.id, offers.UNTOUCHED)

    def held_back_for(self, entry: Entry) -> timedelta:
        """How long an open offer or a cap still keep a campaign back."""
        return offers.held_back_for(entry, self.state_of(entry), self.terms.policy, self.now, self.period)

    def period(self, name: Period) -> Bounds:
        """The day, week or month of this call in the person's zone."""
        if self._periods is None:
            self._periods = {}
        found = self._periods.get(name)
        if found is None:
            found = self._periods[name] = bounds(self.now, self.today.zone, name)
        return found

    @property
    def device_types(self) -> tuple[str, ...]:
        """What the client says about its device."""
        if self._device_types is None:
            self._device_types = _texts(self.request.attributes.get("deviceType"))
        return self._device_types

    @property
    def regions(self) -> tuple[str, ...]:
        """Where the client says it is, with everything that lies around it: `US-MA` lies in `US`."""
        if self._regions is None:
            stated = _texts(self.request.attributes.get("region"))
            self._regions = tuple(around for region in stated for around in _surroundings(region))
        return self._regions

    @property
    def cooling(self) -> timedelta:
        """How long everything that is not exempt is still kept back by what was shown last."""
        if self._cooling is None:
            self._cooling = offers.cooling_for(self.states, self.terms.exempt, self.terms.policy, self.now)
        return self._cooling

    @property
    def rest_of_day(self) -> timedelta:
        """How long the person's local day still lasts."""
        return self.period("day").end - self.now


def begin(terms: Terms, person: Person, before: VisitorState | None, request: DecideRequest, now: datetime) -> Visit:
    """Look at a call. `now` is in UTC."""
    today = local_day_in(request.timezone, request.timezone_offset, now)
    away = None if before is None else _away(before, request, now)
    is_new = away is None or away >= terms.policy.visit_gap
    visits = counted(before, today, is_new=is_new)
    is_first = before is None or (not is_new and visits.total <= 1)
    flags, states = frozenset(request.feature_flags), {} if before is None else before.campaigns
    return Visit(terms, person, before, request, now, today, flags, away, is_first, visits, states)


def remembered(visit: Visit, campaigns: dict[str, CampaignState]) -> VisitorState:
    """The state after the call. A new person has seen the release that they arrive on; nothing moves back."""
    before, running, now = visit.before, visit.request.release_id, visit.now
    if before is None:
        return VisitorState(
            first_seen_at=now,
            last_seen_at=now,
            visits=visit.visits,
            last_release_seen=running,
            last_release_visited=running,
            campaigns=campaigns,
            attributes=visit.request.attributes,
            version=1,
        )
    return VisitorState(  # every member by its name: `replace` takes four times as long
        first_seen_at=before.first_seen_at or before.last_seen_at,
        last_seen_at=max(before.last_seen_at, now),
        visits=visit.visits,
        last_release_seen=before.last_release_seen,
        last_release_visited=visit.terms.releases.newer(before.last_release_visited, running),
        campaigns=campaigns,
        linked=before.linked,
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
