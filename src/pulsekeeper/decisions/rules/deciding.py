"""The decision: which of the campaigns that no rule refuses is shown, and what is remembered of it.

One wins; those that may accompany it are shown with it; the others are not lost, they are due again next time.
"""

from datetime import datetime, timedelta

from msgspec import Struct

from pulsekeeper.decisions.rules import offers, visits
from pulsekeeper.decisions.rules.book import RuleBook
from pulsekeeper.decisions.rules.entries import Entry
from pulsekeeper.decisions.rules.findings import Finding, Findings
from pulsekeeper.decisions.rules.model import (
    CampaignState,
    DecideRequest,
    Decision,
    ReleaseStatus,
    Verdict,
    VisitorState,
)
from pulsekeeper.decisions.rules.next_check import WAITS, next_check, shown_for
from pulsekeeper.decisions.rules.people import Person
from pulsekeeper.decisions.rules.reasons import reasons
from pulsekeeper.decisions.rules.visits import Visit


class Outcome(Struct, frozen=True, kw_only=True):
    """A decision before it is committed."""

    after: VisitorState
    """The state with this call counted and its offers made, one version on."""
    decisions: tuple[Decision, ...]
    findings: Findings
    next_check_seconds: int
    release_status: ReleaseStatus

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Each campaign of the book once, in the order in which they win."""
        return self.findings.verdicts


def decide(
    book: RuleBook, person: Person, before: VisitorState | None, request: DecideRequest, now: datetime
) -> Outcome:
    """What this person should see at `now` (UTC): a function of its arguments alone, which never raises.

    `before` is the stored state, `None` for someone new. The outcome's `after` has the next version, also when nothing
    is shown, because the call itself is remembered.
    """
    visit = visits.begin(book.terms, person, before, request, now)
    found, shown, change = _look(book, visit)
    after = visits.remembered(visit, _with_offers(visit, shown, book))
    return Outcome(
        after=after,
        decisions=tuple([_decision(entry, reason) for entry, reason in shown]),
        findings=book.findings.of(found),
        next_check_seconds=next_check(visit, change),
        release_status=_release_status(visit, after),
    )


Shown = list[tuple[Entry, tuple[str, ...]]]
"""What is shown, each with its reasons."""


def _look(book: RuleBook, visit: Visit) -> tuple[tuple[Finding, ...], Shown, timedelta]:
    """What becomes of each campaign, what is shown, and how long it takes until any of it can change by itself.

    All in one pass without a call that can be spared, because every campaign comes by here in every decision.
    """
    found: list[Finding] = []
    shown: Shown = []
    change = offers.NEVER
    for entry, checks in book.entries_with_checks:
        for check in checks:
            refused = check(visit)
            if refused is not None:
                break
        else:
            if not shown or entry.campaign.together:
                reason = reasons(entry, visit)
                shown.append((entry, reason))
                found.append(reason)
                change = min(change, shown_for(entry, visit))
                continue
            refused = "outranked"
        found.append(refused)
        wait = WAITS.get(refused)
        if wait is not None:
            change = min(change, wait(entry, visit))
    return tuple(found), shown, change


def _decision(entry: Entry, reason: tuple[str, ...]) -> Decision:
    campaign = entry.campaign
    return Decision(action=campaign.action, campaign_id=campaign.id, payload=entry.payload, reason=reason)


def _with_offers(visit: Visit, shown: Shown, book: RuleBook) -> dict[str, CampaignState]:
    if not shown:
        return visit.states
    made = {entry.campaign.id: offers.offered(entry, visit.state_of(entry), visit.now) for entry, _ in shown}
    return offers.kept({**visit.states, **made}, book.by_id)


def _release_status(visit: Visit, after: VisitorState) -> ReleaseStatus:
    releases, seen = visit.terms.releases, after.last_release_seen
    latest = releases.latest(visit.now)
    if latest is None:
        return ReleaseStatus(latest_release_id=None, already_seen=False)
    return ReleaseStatus(
        latest_release_id=latest.id, already_seen=seen is not None and not releases.is_newer(latest.id, seen)
    )
