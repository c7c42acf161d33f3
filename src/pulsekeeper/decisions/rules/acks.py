"""What a person did with what they were offered: the only thing that turns an offer into a showing."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from pulsekeeper.decisions.rules.book import RuleBook
from pulsekeeper.decisions.rules.campaigns import Name, Slug
from pulsekeeper.decisions.rules.model import CampaignState, VisitorId, VisitorState

Outcome = Literal["shown", "dismissed", "completed"]


class AckRequest(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a page reports. The person is known in the same way as when it asked."""

    campaign_id: Slug
    outcome: Outcome
    visitor_id: VisitorId | None = None
    decision_id: Annotated[str, Meta(max_length=64)] | None = None
    """The decision that made the offer; for the records only, since an offer is known by person and campaign."""
    release_id: Name | None = None
    """The release that the page is running."""


def acknowledge(book: RuleBook, before: VisitorState | None, ack: AckRequest, now: datetime) -> VisitorState | None:
    """The state after a report, the same object when it tells nothing new; `None` when this was never offered.

    It is taken whatever has become of the campaign since: what was seen was seen. Only the first report of an offer
    counts as a showing, whichever it is, and answers are never taken back.
    """
    offered = None if before is None else before.campaigns.get(ack.campaign_id)
    if before is None or offered is None or offered.last_offered_at is None:
        return None
    answered = _answered(offered, ack.outcome, now)
    seen = _release_seen(book, before, ack)
    if answered == offered and seen == before.last_release_seen:
        return before
    return replace(
        before,
        campaigns={**before.campaigns, ack.campaign_id: answered},
        last_release_seen=seen,
        version=before.version + 1,
    )


def _answered(offered: CampaignState, outcome: Outcome, now: datetime) -> CampaignState:
    offered_at = offered.last_offered_at or now
    answered_at = max(now, offered_at)  # the clock of another node may be a little ahead
    is_shown = any(shown >= offered_at for shown in offered.shown_at)
    return replace(
        offered,
        shown_at=offered.shown_at if is_shown else (*offered.shown_at, answered_at),
        acknowledged_at=offered.acknowledged_at or (answered_at if outcome == "completed" else None),
        dismissed_at=offered.dismissed_at or (answered_at if outcome == "dismissed" else None),
    )


def _release_seen(book: RuleBook, before: VisitorState, ack: AckRequest) -> str | None:
    """A release is seen when its announcement was dealt with; merely having it on the screen is not enough."""
    entry = book.by_id.get(ack.campaign_id)
    if ack.outcome == "shown" or entry is None or entry.campaign.type != "release":
        return before.last_release_seen
    announced = entry.campaign.trigger.release_id or ack.release_id
    return (
        before.last_release_seen
        if announced is None
        else book.terms.releases.newer(before.last_release_seen, announced)
    )
