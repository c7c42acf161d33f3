"""The rules, in the order in which they are asked: the first that refuses names the reason.

Each rule looks at one campaign, once, when the rule book is made, and gives the check that a visit has to pass: with
everything that the campaign says already in hand, and none at all where the rule can never refuse. So a decision spends
no time on conditions that a campaign does not have. A check answers with the code of its refusal, or `None`. The codes
are what the log and `evaluated` show; operators search for them, so they never change their meaning.
"""

from collections.abc import Callable

from pulsekeeper.decisions.rules import offers, seeing
from pulsekeeper.decisions.rules.entries import Entry
from pulsekeeper.decisions.rules.people import bucket
from pulsekeeper.decisions.rules.visits import Visit

Check = Callable[[Visit], str | None]
Rule = Callable[[Entry], Check | None]
EXPRESSION_FAILED = "expression failed"
"""The one code that stays inside: people are told `expression`, the operators' metrics count it."""


def season(entry: Entry) -> Check | None:
    """On, begun, and not over."""
    begins, ends = entry.campaign.valid_from, entry.campaign.valid_to
    if not entry.campaign.active or entry.is_unreadable:
        return lambda _visit: "inactive"

    def check(visit: Visit) -> str | None:
        if begins is not None and visit.now < begins:
            return "not_yet"
        return "over" if ends is not None and visit.now >= ends else None

    return None if begins is None and ends is None else check


def identity(entry: Entry) -> Check | None:
    """Enough is known of who is asking."""
    require_auth, personal = entry.campaign.trigger.require_auth, entry.campaign.personal

    def check(visit: Visit) -> str | None:
        if require_auth and not visit.person.authenticated:
            return "needs_auth"
        return "personal_identity" if personal and visit.person.kind == "ip" else None

    return check if require_auth or personal else None


def segment(entry: Entry) -> Check | None:
    """In the audience. An attribute that is missing, or is no text, matches nothing."""
    roles, device_types, regions = entry.roles, entry.device_types, entry.regions

    def check(visit: Visit) -> str | None:
        if roles and roles.isdisjoint(visit.person.roles):
            return "segment"
        if device_types and device_types.isdisjoint(visit.device_types):
            return "segment"
        return "segment" if regions and regions.isdisjoint(visit.regions) else None

    return check if roles or device_types or regions else None


def feature_flag(entry: Entry) -> Check | None:
    """The client has every flag."""
    flags = entry.flags
    return (lambda visit: None if flags <= visit.flags else "feature_flag") if flags else None


def release(entry: Entry) -> Check | None:
    """The client runs what is announced, and it is news to a person who knew the site before."""
    announced = entry.campaign.trigger.release_id
    if announced is None:
        return None

    def check(visit: Visit) -> str | None:
        is_newer = visit.terms.releases.is_newer
        if is_newer(announced, visit.request.release_id):
            return "release_not_running"
        seen = None if visit.before is None else visit.before.last_release_seen
        if seen is not None and not is_newer(announced, seen):
            return "release_seen"
        return "release_new_person" if visit.is_first else None

    return check


def absence(entry: Entry) -> Check | None:
    """Away for longer than the minimum and no longer than the maximum. Who was never here has not been away."""
    least, most = entry.min_away, entry.max_away

    def check(visit: Visit) -> str | None:
        away = visit.away
        if least is not None and (away is None or away <= least):
            return "too_recent"
        return "too_long_ago" if most is not None and (away is None or away > most) else None

    return None if least is None and most is None else check


def visit_counts(entry: Entry) -> Check | None:
    """Here often enough and not too often, this visit counted."""
    trigger = entry.campaign.trigger
    least, most, most_today = trigger.min_visits, trigger.max_visits, trigger.max_visits_today

    def check(visit: Visit) -> str | None:
        counted = visit.visits
        if least is not None and counted.total < least:
            return "too_few_visits"
        if most is not None and counted.total > most:
            return "too_many_visits"
        return "too_many_today" if most_today is not None and counted.today > most_today else None

    return None if least is None and most is None and most_today is None else check


def expression(entry: Entry) -> Check | None:
    """The expression gives true. One that fails, or does not compile any more, lets nobody through."""
    compiled = entry.expression
    if entry.campaign.trigger.when is None:
        return None

    def check(visit: Visit) -> str | None:
        holds = None if compiled is None else seeing.holds(visit, compiled)
        if holds is None:
            return EXPRESSION_FAILED
        return None if holds else "expression"

    return check


def rollout(entry: Entry) -> Check | None:
    """Within the share of people."""
    share, salt = entry.campaign.rollout, entry.salt
    if share is None:
        return None
    percent = share.percent
    return lambda visit: None if bucket(salt, visit.person.key) < percent else "rollout"


def answer(entry: Entry) -> Check | None:
    """Not answered for good."""

    def check(visit: Visit) -> str | None:
        state = visit.state_of(entry)
        if state.acknowledged_at is not None:
            return "acknowledged"
        return None if state.dismissed_at is None else "dismissed"

    return check if entry.campaign.frequency.until_acknowledged else None


def frequency(entry: Entry) -> Check | None:
    """Not on offer in another tab, under every cap, and not ignored too often."""

    def check(visit: Visit) -> str | None:
        if visit.held_back_for(entry) > offers.NOTHING:
            return "frequency"
        return "offered_enough" if offers.is_exhausted(entry, visit.state_of(entry)) else None

    return check


def quiet(entry: Entry) -> Check | None:
    """Power users are left alone."""

    def check(visit: Visit) -> str | None:
        return "quiet" if visit.visits.today > visit.terms.policy.quiet_after else None

    return None if entry.campaign.exempt.quiet else check


def cooldown(entry: Entry) -> Check | None:
    """Nothing else was shown a moment ago."""
    return None if entry.campaign.exempt.cooldown else _is_cooling


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


def checks_of(entry: Entry) -> tuple[Check, ...]:
    """What a visit has to pass for a campaign, in the order of the rules. Most campaigns have few conditions."""
    return tuple(check for rule in RULES if (check := rule(entry)) is not None)


def _is_cooling(visit: Visit) -> str | None:
    return "cooldown" if visit.cooling > offers.NOTHING else None
