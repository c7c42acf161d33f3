"""Two rows that turn out to be one person: what was known of either is known of both.

Merging is commutative and idempotent: which of two tabs logs in first must not matter, and neither must doing it again.
So the visits of two rows are summed when they are linked, and never again.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import msgspec

from pulsekeeper.decisions.rules.model import MOST, Attributes, CampaignState, VisitorState, Visits
from pulsekeeper.decisions.rules.releases import Releases

T = TypeVar("T")


def merge(key: str, state: VisitorState, other_key: str, other: VisitorState, releases: Releases) -> VisitorState:
    """One state out of the states of two keys. Its `linked` has both keys, its version is the higher one."""
    are_linked = other_key in state.linked or key in other.linked
    later, earlier = sorted((state, other), key=_recency, reverse=True)
    return VisitorState(
        first_seen_at=_either(min, state.first_seen_at, other.first_seen_at),
        last_seen_at=later.last_seen_at,
        visits=(_most if are_linked else _sum)(state.visits, other.visits),
        last_release_seen=_newer(releases, state.last_release_seen, other.last_release_seen),
        last_release_visited=_newer(releases, state.last_release_visited, other.last_release_visited),
        campaigns=_campaigns(state.campaigns, other.campaigns),
        linked=tuple(sorted({key, other_key, *state.linked, *other.linked})),
        attributes=later.attributes or earlier.attributes,
        version=max(state.version, other.version),
    )


def _recency(state: VisitorState) -> tuple[datetime, bytes]:
    return state.last_seen_at, _bytes(state.attributes)


def _bytes(attributes: Attributes) -> bytes:
    return msgspec.json.encode(attributes, order="sorted")


def _either(choose: Callable[[T, T], T], one: T | None, other: T | None) -> T | None:
    if one is None or other is None:
        return one if other is None else other
    return choose(one, other)


def _newer(releases: Releases, one: str | None, other: str | None) -> str | None:
    low, high = sorted(filter(None, (one, other))) if one and other else (one or other, None)
    return low if low is None or high is None else releases.newer(low, high)


def _sum(one: Visits, other: Visits) -> Visits:
    return _visits(one, other, lambda left, right: min(left + right, MOST))


def _most(one: Visits, other: Visits) -> Visits:
    return _visits(one, other, max)


def _visits(one: Visits, other: Visits, combine: Callable[[int, int], int]) -> Visits:
    day, week = max(one.day, other.day), max(one.week, other.week)
    return Visits(
        today=combine(one.today if one.day == day else 0, other.today if other.day == day else 0),
        this_week=combine(one.this_week if one.week == week else 0, other.this_week if other.week == week else 0),
        total=combine(one.total, other.total),
        day=day,
        week=week,
    )


def _campaigns(one: dict[str, CampaignState], other: dict[str, CampaignState]) -> dict[str, CampaignState]:
    return {key: _campaign(one.get(key), other.get(key)) for key in sorted(one.keys() | other.keys())}


def _campaign(one: CampaignState | None, other: CampaignState | None) -> CampaignState:
    one, other = one or CampaignState(), other or CampaignState()
    shown = tuple(sorted({*one.shown_at, *other.shown_at}))
    unanswered = max(one.offers - len(one.shown_at), other.offers - len(other.shown_at), 0)
    return CampaignState(
        offers=len(shown) + unanswered,
        last_offered_at=_either(max, one.last_offered_at, other.last_offered_at),
        shown_at=shown,
        acknowledged_at=_either(min, one.acknowledged_at, other.acknowledged_at),
        dismissed_at=_either(min, one.dismissed_at, other.dismissed_at),
    )
