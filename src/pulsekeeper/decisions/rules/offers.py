"""Offers and showings: what is reserved, what counts towards a cap, and for how long either keeps something back.

A decision makes an *offer*, which is reserved for a while; only the site can turn it into a *showing*. An open offer
counts as much as a showing, so that two tabs that ask at once get one dialog. Every question here is answered with how
long it will stay so: nothing for "not at all", `NEVER` for "for ever". That also tells when to ask again.
"""

import math
from collections.abc import Callable, Container, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from pulsekeeper.decisions.rules.calendar import Bounds, Period
from pulsekeeper.decisions.rules.entries import Entry, Limit
from pulsekeeper.decisions.rules.model import MOST, CampaignState, Policy

Periods = Callable[[Period], Bounds]

NOTHING = timedelta()
NEVER = timedelta.max
_MOMENT = timedelta(microseconds=1)
_SKEW = timedelta(minutes=5)
"""How far the clocks of two nodes may be apart; an answer from further in the future was made up."""
UNTOUCHED = CampaignState()
"""A campaign that the person has had nothing to do with yet."""
MOST_KEPT = 500
"""Campaigns that a person's state remembers beyond those of the rule book."""


def reserved_for(state: CampaignState, now: datetime, reservation: timedelta) -> timedelta:
    """How much longer an offer stays open: made less than `reservation` ago and not answered since."""
    offered = state.last_offered_at
    if offered is None or _answered(state, offered):
        return NOTHING
    return min(max(reservation - (now - offered), NOTHING), reservation)


def held_back_for(entry: Entry, state: CampaignState, policy: Policy, now: datetime, period: Periods) -> timedelta:
    """How long an open offer, the lifetime or a cap keep a campaign back. `period` gives the person's calendar."""
    if state is UNTOUCHED:
        return NOTHING
    held = reserved_for(state, now, policy.reservation)
    lifetime = entry.campaign.frequency.lifetime
    if lifetime is not None and len(state.shown_at) >= lifetime:
        return NEVER
    for limit in entry.limits:
        held = max(held, _capped_for(limit, state, now, period))
    return held


def is_exhausted(entry: Entry, state: CampaignState) -> bool:
    """Whether it was offered as often as it may be without an answer."""
    return state.offers - len(state.shown_at) >= entry.campaign.frequency.offers


def cooling_for(
    states: Mapping[str, CampaignState], exempt: Container[str], policy: Policy, now: datetime
) -> timedelta:
    """How long the cool-down after anything that a person was shown, or has on offer, still lasts.

    Showings of campaigns that are exempt count for nothing; a campaign that is gone is not exempt any more.
    """
    counted = (state for campaign_id, state in states.items() if campaign_id not in exempt)
    return max((_cooling_after(state, policy, now) for state in counted), default=NOTHING)


def offered(entry: Entry, state: CampaignState, now: datetime) -> CampaignState:
    """The state with one more offer. Showings that no cap asks for any more go, each together with its offer."""
    dropped = max(len(state.shown_at) - entry.kept_showings, 0)
    return replace(
        state,
        offers=min(max(state.offers - dropped, 0) + 1, MOST),
        last_offered_at=_after_all_answers(state, now),
        shown_at=tuple(sorted(state.shown_at))[dropped:] if dropped else state.shown_at,
    )


def _after_all_answers(state: CampaignState, now: datetime) -> datetime:
    """`now`, or just after an earlier offer was answered, if that is no earlier: its answer is not this one's."""
    latest = max(_answers(state), default=None)
    return now if latest is None or latest < now or latest - now > _SKEW else latest + _MOMENT


def kept(states: dict[str, CampaignState], present: Container[str]) -> dict[str, CampaignState]:
    """The states without the oldest whose campaigns are not `present`, so that no row grows for ever."""
    if len(states) <= MOST_KEPT:
        return states
    gone = sorted((key for key in states if key not in present), key=lambda key: (_age(states[key]), key))
    dropped = set(gone[: max(len(gone) - MOST_KEPT, 0)])
    return {key: state for key, state in states.items() if key not in dropped}


def _cooling_after(state: CampaignState, policy: Policy, now: datetime) -> timedelta:
    reserved = reserved_for(state, now, policy.reservation)
    return max(reserved, policy.cooldown - (now - max(state.shown_at))) if state.shown_at else reserved


def _answered(state: CampaignState, offered_at: datetime) -> bool:
    return any(answer >= offered_at for answer in _answers(state))


def _answers(state: CampaignState) -> list[datetime]:
    answers = (*state.shown_at, state.acknowledged_at, state.dismissed_at)
    return [answer for answer in answers if answer is not None]


def _capped_for(limit: Limit, state: CampaignState, now: datetime, period: Periods) -> timedelta:
    if len(state.shown_at) < limit.cap:
        return NOTHING
    if isinstance(limit.period, timedelta):
        return _rolling_for(limit.cap, limit.period, state, now)
    current = period(limit.period)
    counted = sum(shown >= current.start for shown in state.shown_at)
    return current.end - now if counted >= limit.cap else NOTHING


def _rolling_for(cap: int, period: timedelta, state: CampaignState, now: datetime) -> timedelta:
    ages = sorted(now - shown for shown in state.shown_at)
    # The cap is free again when the oldest of the newest `cap` showings is a whole period old.
    return max(period - ages[cap - 1], NOTHING)


def _age(state: CampaignState) -> float:
    return -math.inf if state.last_offered_at is None else state.last_offered_at.timestamp()
