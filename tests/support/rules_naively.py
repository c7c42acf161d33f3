"""Decisions made in the plainest way: every rule asks every campaign, and nothing is prepared or remembered.

What the rules of `conditions` say once for each campaign, this says for each campaign and each visit.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from pulsekeeper.decisions.rules import offers
from pulsekeeper.decisions.rules.book import RuleBook
from pulsekeeper.decisions.rules.calendar import Bounds, Period, bounds, iso_week, local_day, zone_of
from pulsekeeper.decisions.rules.deciding import Outcome
from pulsekeeper.decisions.rules.entries import Entry, entry_of
from pulsekeeper.decisions.rules.expressions.compiled import context
from pulsekeeper.decisions.rules.model import MOST, CampaignState, DecideRequest, Policy, VisitorState
from pulsekeeper.decisions.rules.people import Person, bucket, spread

_NOTHING = timedelta()


class Call(Struct, frozen=True, kw_only=True):
    """A decision to be made."""

    book: RuleBook
    person: Person
    before: VisitorState | None
    request: DecideRequest
    now: datetime

    @property
    def policy(self) -> Policy:
        """The settings of the book."""
        return self.book.parts.policy

    @property
    def away(self) -> timedelta | None:
        """How long ago the person was last seen."""
        if self.before is None:
            return None
        seen = max(self.before.last_seen_at, self.request.last_client_action_at or self.before.last_seen_at)
        return max(self.now - seen, _NOTHING)

    @property
    def is_new(self) -> bool:
        """Whether a visit begins."""
        return self.away is None or self.away >= self.policy.visit_gap

    @property
    def is_first(self) -> bool:
        """Whether it is the first one."""
        return self.before is None or (not self.is_new and self.visits["total"] <= 1)

    @property
    def visits(self) -> dict[str, int]:
        """The counters, this visit counted."""
        if self.before is None:
            return {"today": 1, "thisWeek": 1, "total": 1}
        zone, old = zone_of(self.request.timezone, self.request.timezone_offset), self.before.visits
        today, last = local_day(self.now, zone), local_day(self.before.last_seen_at, zone)
        dated = bool(old.day and old.week)
        day = old.day if dated else old.day or last.isoformat()
        week = old.week if dated else old.week or iso_week(last)
        return {
            "today": min((old.today if day == today.isoformat() else 0) + self.is_new, MOST),
            "thisWeek": min((old.this_week if week == iso_week(today) else 0) + self.is_new, MOST),
            "total": min(old.total + self.is_new, MOST),
        }

    def state_of(self, entry: Entry) -> CampaignState:
        """What the person and a campaign had to do with each other."""
        known = {} if self.before is None else self.before.campaigns
        return known.get(entry.campaign.id, offers.UNTOUCHED)

    def period(self, name: Period) -> Bounds:
        """A period of the person's calendar."""
        return bounds(self.now, zone_of(self.request.timezone, self.request.timezone_offset), name)

    def held_back_for(self, entry: Entry) -> timedelta:
        """How long an offer or a cap keep a campaign back."""
        return offers.held_back_for(entry, self.state_of(entry), self.policy, self.now, self.period)

    @property
    def cooling(self) -> timedelta:
        """How long what was shown last keeps everything back."""
        exempt = {each.id for each in self.book.parts.campaigns if each.exempt.cooldown}
        known = {} if self.before is None else self.before.campaigns
        return offers.cooling_for(known, exempt, self.policy, self.now)

    def variables(self) -> dict[str, Any]:
        """Everything that an expression may see."""
        seen = (self.before and self.before.last_release_seen) or ""
        visitor = {"kind": self.person.kind, "firstVisit": self.is_first, "lastReleaseSeen": seen}
        days = {} if self.away is None else {"daysSinceLastSeen": self.away // timedelta(days=1)}
        return {
            "release": self.request.release_id,
            "flags": self.request.feature_flags,
            "visitor": visitor | days,
            "visits": self.visits,
            "attributes": self.request.attributes,
            "now": self.now,
            "auth": {"authenticated": self.person.authenticated, "roles": self.person.roles},
        }


def differences(call: Call, outcome: Outcome) -> list[str]:
    """Where a decision is not what this makes of the call; empty when there is nothing."""
    entries = sorted(map(entry_of, call.book.parts.campaigns), key=_rank)
    refused = {entry.campaign.id: next(_refusals(entry, call), None) for entry in entries}
    due = [entry for entry in entries if refused[entry.campaign.id] is None]
    shown = [entry.campaign.id for entry in due if entry is due[0] or entry.campaign.together]
    expected: dict[str, object] = {
        "verdicts": [(each, "shown" if each in shown else why or "outranked") for each, why in refused.items()],
        "next": _next_check(entries, {**refused, **dict.fromkeys(shown, "shown")}, call),
        "visits": call.visits,
        "latest": _latest(call),
    }
    visits = outcome.after.visits
    found: dict[str, object] = {
        "verdicts": [(v.campaign_id, "shown" if v.verdict == "shown" else v.reason) for v in outcome.verdicts],
        "next": outcome.next_check_seconds,
        "visits": {"today": visits.today, "thisWeek": visits.this_week, "total": visits.total},
        "latest": outcome.release_status.latest_release_id,
    }
    return [f"{key}: {found[key]} instead of {expected[key]}" for key in expected if found[key] != expected[key]]


def _rank(entry: Entry) -> tuple[int, int, str]:
    return -entry.campaign.priority, -entry.conditions, entry.campaign.id


def _latest(call: Call) -> str | None:
    out = [each for each in call.book.parts.releases if each.released_at <= call.now]
    newest = None
    for each in sorted(out, key=lambda release: release.id):
        if newest is None or not call.book.terms.releases.is_newer(newest, each.id):
            newest = each.id
    return newest


def _refusals(entry: Entry, call: Call) -> Iterator[str]:
    yield from _general(entry, call)
    yield from _audience(entry, call)
    yield from _release(entry, call)
    yield from _presence(entry, call)
    yield from _expression(entry, call)
    yield from _limits(entry, call)


def _general(entry: Entry, call: Call) -> Iterator[str]:
    campaign = entry.campaign
    if not campaign.active or entry.is_unreadable:
        yield "inactive"
    if campaign.valid_from is not None and call.now < campaign.valid_from:
        yield "not_yet"
    if campaign.valid_to is not None and call.now >= campaign.valid_to:
        yield "over"
    if campaign.trigger.require_auth and not call.person.authenticated:
        yield "needs_auth"
    if campaign.personal and call.person.kind == "ip":
        yield "personal_identity"


def _audience(entry: Entry, call: Call) -> Iterator[str]:
    segment, attributes = entry.campaign.trigger.segment, call.request.attributes
    regions = {each[:at] for each in _texts(attributes.get("region")) for at in _ends(each)}
    for wanted, given in (
        (segment.roles, call.person.roles),
        (segment.device_type, _texts(attributes.get("deviceType"))),
        (segment.regions, regions),
    ):
        if wanted and not set(wanted) & set(given):
            yield "segment"
    if not set(entry.campaign.trigger.feature_flags) <= set(call.request.feature_flags):
        yield "feature_flag"


def _texts(value: object) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ()


def _ends(region: str) -> list[int]:
    return [len(region), *(at for at, sign in enumerate(region) if sign == "-")]


def _release(entry: Entry, call: Call) -> Iterator[str]:
    announced, is_newer = entry.campaign.trigger.release_id, call.book.terms.releases.is_newer
    if announced is None:
        return
    if is_newer(announced, call.request.release_id):
        yield "release_not_running"
    seen = None if call.before is None else call.before.last_release_seen
    if seen is not None and not is_newer(announced, seen):
        yield "release_seen"
    if call.is_first:
        yield "release_new_person"


def _presence(entry: Entry, call: Call) -> Iterator[str]:
    trigger, away, visits = entry.campaign.trigger, call.away, call.visits
    least, most = trigger.min_days_since_last_seen, trigger.max_days_since_last_seen
    if least is not None and (away is None or away <= timedelta(days=least)):
        yield "too_recent"
    if most is not None and (away is None or away > timedelta(days=most)):
        yield "too_long_ago"
    if trigger.min_visits is not None and visits["total"] < trigger.min_visits:
        yield "too_few_visits"
    if trigger.max_visits is not None and visits["total"] > trigger.max_visits:
        yield "too_many_visits"
    if trigger.max_visits_today is not None and visits["today"] > trigger.max_visits_today:
        yield "too_many_today"


def _expression(entry: Entry, call: Call) -> Iterator[str]:
    when = entry.campaign.trigger.when
    if when is not None and (entry.expression is None or not entry.expression.holds(context(call.variables()))):
        yield "expression"


def _limits(entry: Entry, call: Call) -> Iterator[str]:
    campaign, state = entry.campaign, call.state_of(entry)
    if campaign.rollout is not None and bucket(entry.salt, call.person.key) >= campaign.rollout.percent:
        yield "rollout"
    if campaign.frequency.until_acknowledged and state.acknowledged_at is not None:
        yield "acknowledged"
    if campaign.frequency.until_acknowledged and state.dismissed_at is not None:
        yield "dismissed"
    if call.held_back_for(entry) > _NOTHING:
        yield "frequency"
    if offers.is_exhausted(entry, state):
        yield "offered_enough"
    if call.visits["today"] > call.policy.quiet_after and not campaign.exempt.quiet:
        yield "quiet"
    if call.cooling > _NOTHING and not campaign.exempt.cooldown:
        yield "cooldown"


def _next_check(entries: list[Entry], verdicts: dict[str, str | None], call: Call) -> int:
    waits = [_wait(entry, verdicts[entry.campaign.id] or "outranked", call) for entry in entries]
    coming = [each.released_at - call.now for each in call.book.parts.releases if each.released_at > call.now]
    least, most = call.policy.next_check_min.total_seconds(), call.policy.next_check_max.total_seconds()
    middle = max(min(min([offers.NEVER, *waits, *coming]).total_seconds(), most), least)
    low, high = max(middle * (1 - 0.1), least), min(middle * (1 + 0.1), most)
    return -int(-(low + max(high - low, 0) * spread(call.person.key)) // 1)


def _wait(entry: Entry, verdict: str, call: Call) -> timedelta:
    campaign = entry.campaign
    if verdict == "shown":
        ends = offers.NEVER if campaign.valid_to is None else campaign.valid_to - call.now
        return min(call.policy.reservation, ends)
    if verdict in {"too_many_today", "quiet"}:
        return call.period("day").end - call.now
    if verdict == "not_yet" and campaign.valid_from is not None:
        return campaign.valid_from - call.now
    return {
        "release_new_person": call.policy.visit_gap,
        "too_recent": timedelta(days=campaign.trigger.min_days_since_last_seen or 0),
        "too_long_ago": _NOTHING,
        "too_few_visits": call.policy.visit_gap,
        "frequency": call.held_back_for(entry),
        "cooldown": call.cooling,
        "outranked": call.policy.reservation,
    }.get(verdict, offers.NEVER)
