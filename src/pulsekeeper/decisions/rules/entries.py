"""One campaign, made ready: whatever can be worked out without knowing the person, so that a decision only compares."""

from datetime import timedelta
from functools import lru_cache

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from pulsekeeper.decisions.rules.calendar import PERIODS, Period
from pulsekeeper.decisions.rules.campaigns import Campaign, Cap, Segment, Trigger
from pulsekeeper.decisions.rules.expressions.compiled import Expression
from pulsekeeper.scalars import Duration

FEWEST_KEPT = 20
"""Showings kept whatever the caps say, so that a cap which is raised later does not start from nothing."""


class Limit(Struct, frozen=True):
    """A cap with its period read."""

    cap: int
    period: timedelta | Period
    """A length that rolls, or a period of the person's calendar."""


class Entry(Struct, frozen=True, kw_only=True):
    """One campaign and what follows from it."""

    campaign: Campaign
    payload: Raw
    flags: frozenset[str]
    roles: frozenset[str]
    regions: frozenset[str]
    device_types: frozenset[str]
    min_away: timedelta | None
    max_away: timedelta | None
    expression: Expression | None
    """`None` also where `when` does not compile any more; it then refuses everybody."""
    salt: str
    limits: tuple[Limit, ...]
    is_unreadable: bool
    """Whether a cap can no longer be read; the campaign then counts as switched off."""
    conditions: int
    """How many conditions it has: of two campaigns with the same priority the more particular one wins."""
    kept_showings: int
    """How many confirmed showings must be remembered for its limits."""


def entry_of(campaign: Campaign) -> Entry:
    """Make a campaign ready. Never refuses: what has become invalid since it was stored lets nobody through."""
    trigger, segment, frequency = campaign.trigger, campaign.trigger.segment, campaign.frequency
    limits = _limits(frequency.caps)
    return Entry(
        campaign=campaign,
        payload=Raw(msgspec.json.encode(campaign.message_payload, order="sorted")),
        flags=frozenset(trigger.feature_flags),
        roles=frozenset(segment.roles),
        regions=frozenset(segment.regions),
        device_types=frozenset(segment.device_type),
        min_away=_days(trigger.min_days_since_last_seen),
        max_away=_days(trigger.max_days_since_last_seen),
        expression=None if trigger.when is None else _compiled(trigger.when),
        salt=(campaign.rollout and campaign.rollout.salt) or campaign.id,
        limits=limits or (),
        is_unreadable=limits is None,
        conditions=_conditions(campaign),
        kept_showings=max(FEWEST_KEPT, frequency.lifetime or 0, *(cap.cap for cap in frequency.caps)),
    )


def limit_of(cap: Cap) -> Limit:
    """Read a cap's period. Raises `ValueError` with a sentence when there is no such period on its clock."""
    if cap.clock == "rolling":
        period = Duration.parse(cap.period)
        if not period:
            raise ValueError("expected a period longer than nothing")
        return Limit(cap.cap, timedelta(seconds=period.total_seconds()))
    if cap.period not in PERIODS:
        raise ValueError(f"expected a calendar period, one of {', '.join(PERIODS)}, got {cap.period!r}")
    return Limit(cap.cap, PERIODS[cap.period])


def _days(count: int | None) -> timedelta | None:
    return None if count is None else timedelta(days=count)


@lru_cache(maxsize=10_000)
def _compiled(source: str) -> Expression | None:
    # Milliseconds for a long one: a rule book of which one campaign has changed compiles that one only.
    try:
        return Expression(source)
    except ValueError:
        return None


def _limits(caps: tuple[Cap, ...]) -> tuple[Limit, ...] | None:
    try:
        return tuple(map(limit_of, caps))
    except ValueError:
        return None


def _conditions(campaign: Campaign) -> int:
    """How many members of the trigger and of its segment are set, and one for a rollout that leaves people out."""
    trigger, rollout = campaign.trigger, campaign.rollout
    everywhere = replace(trigger, segment=Segment())
    partly = rollout is not None and rollout.percent < 100
    return _set_members(everywhere, Trigger()) + _set_members(trigger.segment, Segment()) + partly


def _set_members(value: Struct, plain: Struct) -> int:
    return sum(getattr(value, name) != getattr(plain, name) for name in value.__struct_fields__)
