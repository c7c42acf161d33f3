"""The decision: which of the campaigns that no rule refuses is shown, and what is remembered of it.

One wins; those that may accompany it are shown with it; the others are not lost, they are due again next time.
"""

from datetime import datetime

from msgspec import Struct

from pulsekeeper.decisions.rules import offers, visits
from pulsekeeper.decisions.rules.book import RuleBook
from pulsekeeper.decisions.rules.conditions import EXPRESSION_FAILED, refusal
from pulsekeeper.decisions.rules.entries import Entry
from pulsekeeper.decisions.rules.model import (
    CampaignState,
    DecideRequest,
    Decision,
    ReleaseStatus,
    Verdict,
    VisitorState,
)
from pulsekeeper.decisions.rules.next_check import next_check
from pulsekeeper.decisions.rules.people import Person
from pulsekeeper.decisions.rules.reasons import reasons
from pulsekeeper.decisions.rules.visits import Visit


class Outcome(Struct, frozen=True, kw_only=True):
    """A decision before it is committed."""

    after: VisitorState
    """The state with this call counted and its offers made, one version on."""
    decisions: tuple[Decision, ...]
    verdicts: tuple[Verdict, ...]
    """Each campaign of the book once, in the order in which they win."""
    next_check_seconds: int
    release_status: ReleaseStatus
    failures: tuple[str, ...]
    """The campaigns whose expression failed. They count as refused by it."""


def decide(
    book: RuleBook, person: Person, before: VisitorState | None, request: DecideRequest, now: datetime
) -> Outcome:
    """What this person should see at `now` (UTC): a function of its arguments alone, which never raises.

    `before` is the stored state, `None` for someone new. The outcome's `after` has the next version, also when nothing
    is shown, because the call itself is remembered.
    """
    visit = visits.begin(book.terms, person, before, request, now)
    refusals = tuple((entry, refusal(entry, visit, rules)) for entry, rules in book.asked)
    due = [entry for entry, reason in refusals if reason is None]
    shown = [entry for entry in due if entry is due[0] or entry.campaign.together]
    after = visits.remembered(visit, _with_offers(visit, shown, book))
    decisions = tuple(_decision(entry, visit) for entry in shown)
    verdicts = _verdicts(refusals, decisions)
    return Outcome(
        after=after,
        decisions=decisions,
        verdicts=verdicts,
        next_check_seconds=next_check(visit, book.entries, verdicts),
        release_status=_release_status(visit, after),
        failures=tuple(entry.campaign.id for entry, reason in refusals if reason == EXPRESSION_FAILED),
    )


def _decision(entry: Entry, visit: Visit) -> Decision:
    campaign = entry.campaign
    return Decision(
        action=campaign.action, campaign_id=campaign.id, payload=entry.payload, reason=reasons(entry, visit)
    )


def _verdicts(refusals: tuple[tuple[Entry, str | None], ...], decisions: tuple[Decision, ...]) -> tuple[Verdict, ...]:
    shown = {decision.campaign_id: decision.reason[0] for decision in decisions}
    return tuple(_verdict(entry.campaign.id, reason or "outranked", shown) for entry, reason in refusals)


def _verdict(campaign_id: str, refused: str, shown: dict[str, str]) -> Verdict:
    if campaign_id in shown:
        return Verdict(campaign_id=campaign_id, verdict="shown", reason=shown[campaign_id])
    reason = "expression" if refused == EXPRESSION_FAILED else refused
    return Verdict(campaign_id=campaign_id, verdict="refused", reason=reason)


def _with_offers(visit: Visit, shown: list[Entry], book: RuleBook) -> dict[str, CampaignState]:
    if not shown:
        return visit.states
    made = {entry.campaign.id: offers.offered(entry, visit.state_of(entry), visit.now) for entry in shown}
    return offers.kept({**visit.states, **made}, book.by_id)


def _release_status(visit: Visit, after: VisitorState) -> ReleaseStatus:
    releases, seen = visit.terms.releases, after.last_release_seen
    latest = releases.latest(visit.now)
    if latest is None:
        return ReleaseStatus(latest_release_id=None, already_seen=False)
    return ReleaseStatus(
        latest_release_id=latest.id, already_seen=seen is not None and not releases.is_newer(latest.id, seen)
    )
