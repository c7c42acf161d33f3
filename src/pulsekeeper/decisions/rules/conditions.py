"""The rules, in the order in which they are asked: the first that refuses names the reason.

Each rule looks at one campaign and one visit and answers with the code of its refusal, or `None`. The codes are what
the log and `evaluated` show; operators search for them, so they never change their meaning.
"""

from collections.abc import Callable, Sequence

from pulsekeeper.decisions.rules import offers
from pulsekeeper.decisions.rules.entries import Entry
from pulsekeeper.decisions.rules.people import bucket
from pulsekeeper.decisions.rules.visits import Visit

Rule = Callable[[Entry, Visit], str | None]
EXPRESSION_FAILED = "expression failed"
"""The one code that stays inside: people are told `expression`, the operators' metrics count it."""


def season(entry: Entry, visit: Visit) -> str | None:
    """On, begun, and not over."""
    campaign = entry.campaign
    if not campaign.active or entry.is_unreadable:
        return "inactive"
    if campaign.valid_from is not None and visit.now < campaign.valid_from:
        return "not_yet"
    return "over" if campaign.valid_to is not None and visit.now >= campaign.valid_to else None


def identity(entry: Entry, visit: Visit) -> str | None:
    """Enough is known of who is asking."""
    if entry.campaign.trigger.require_auth and not visit.person.authenticated:
        return "needs_auth"
    return "personal_identity" if entry.campaign.personal and visit.person.kind == "ip" else None


def segment(entry: Entry, visit: Visit) -> str | None:
    """In the audience. An attribute that is missing, or is no text, matches nothing."""
    if entry.roles and entry.roles.isdisjoint(visit.person.roles):
        return "segment"
    if entry.device_types and entry.device_types.isdisjoint(visit.device_types):
        return "segment"
    return "segment" if entry.regions and entry.regions.isdisjoint(visit.regions) else None


def feature_flag(entry: Entry, visit: Visit) -> str | None:
    """The client has every flag."""
    return None if entry.flags <= visit.flags else "feature_flag"


def release(entry: Entry, visit: Visit) -> str | None:
    """The client runs what is announced, and it is news to a person who knew the site before."""
    announced, releases = entry.campaign.trigger.release_id, visit.terms.releases
    if announced is None:
        return None
    if releases.is_newer(announced, visit.request.release_id):
        return "release_not_running"
    seen = None if visit.before is None else visit.before.last_release_seen
    if seen is not None and not releases.is_newer(announced, seen):
        return "release_seen"
    return "release_new_person" if visit.is_first else None


def absence(entry: Entry, visit: Visit) -> str | None:
    """Away for longer than the minimum and no longer than the maximum. Who was never here has not been away."""
    least, most, away = entry.min_away, entry.max_away, visit.away
    if least is not None and (away is None or away <= least):
        return "too_recent"
    return "too_long_ago" if most is not None and (away is None or away > most) else None


def visit_counts(entry: Entry, visit: Visit) -> str | None:
    """Here often enough and not too often, this visit counted."""
    trigger, counted = entry.campaign.trigger, visit.visits
    if trigger.min_visits is not None and counted.total < trigger.min_visits:
        return "too_few_visits"
    if trigger.max_visits is not None and counted.total > trigger.max_visits:
        return "too_many_visits"
    return (
        "too_many_today" if trigger.max_visits_today is not None and counted.today > trigger.max_visits_today else None
    )


def expression(entry: Entry, visit: Visit) -> str | None:
    """The expression gives true. One that fails, or does not compile any more, lets nobody through."""
    if entry.campaign.trigger.when is None:
        return None
    holds = None if entry.expression is None else entry.expression.holds(visit.context)
    if holds is None:
        return EXPRESSION_FAILED
    return None if holds else "expression"


def rollout(entry: Entry, visit: Visit) -> str | None:
    """Within the share of people."""
    share = entry.campaign.rollout
    return None if share is None or bucket(entry.salt, visit.person.key) < share.percent else "rollout"


def answer(entry: Entry, visit: Visit) -> str | None:
    """Not answered for good."""
    if not entry.campaign.frequency.until_acknowledged:
        return None
    state = visit.state_of(entry)
    if state.acknowledged_at is not None:
        return "acknowledged"
    return None if state.dismissed_at is None else "dismissed"


def frequency(entry: Entry, visit: Visit) -> str | None:
    """Not on offer in another tab, under every cap, and not ignored too often."""
    if visit.held_back_for(entry) > offers.NOTHING:
        return "frequency"
    return "offered_enough" if offers.is_exhausted(entry, visit.state_of(entry)) else None


def quiet(entry: Entry, visit: Visit) -> str | None:
    """Power users are left alone."""
    often = visit.visits.today > visit.terms.policy.quiet_after
    return "quiet" if often and not entry.campaign.exempt.quiet else None


def cooldown(entry: Entry, visit: Visit) -> str | None:
    """Nothing else was shown a moment ago."""
    return "cooldown" if not entry.campaign.exempt.cooldown and visit.cooling > offers.NOTHING else None


RULES: tuple[Rule, ...] = (
    season,
    identity,
    segment,
    feature_flag,
    release,
    absence,
    visit_counts,
    expression,
    rollout,
    answer,
    frequency,
    quiet,
    cooldown,
)
"""After these only `outranked` is left, which is not about one campaign but about the others that are due."""


def relevant(entry: Entry) -> tuple[Rule, ...]:
    """The rules that can refuse a campaign at all, in their order. Most campaigns have few conditions."""
    campaign, trigger = entry.campaign, entry.campaign.trigger
    counters = (trigger.min_visits, trigger.max_visits, trigger.max_visits_today)
    window = (campaign.valid_from, campaign.valid_to)
    needless: dict[Rule, bool] = {
        season: campaign.active and not entry.is_unreadable and window == (None, None),
        identity: not (trigger.require_auth or campaign.personal),
        segment: not (entry.roles or entry.device_types or entry.regions),
        feature_flag: not entry.flags,
        release: trigger.release_id is None,
        absence: entry.min_away is None and entry.max_away is None,
        visit_counts: counters == (None, None, None),
        expression: trigger.when is None,
        rollout: campaign.rollout is None,
        answer: not campaign.frequency.until_acknowledged,
        quiet: campaign.exempt.quiet,
        cooldown: campaign.exempt.cooldown,
    }
    return tuple(rule for rule in RULES if not needless.get(rule, False))


def refusal(entry: Entry, visit: Visit, rules: Sequence[Rule] = RULES) -> str | None:
    """The code of the first of the rules that refuses a campaign to a visit."""
    for rule in rules:
        if (reason := rule(entry, visit)) is not None:
            return reason
    return None
