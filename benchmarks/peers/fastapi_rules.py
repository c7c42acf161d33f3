"""What the FastAPI peer decides by: pure functions that know no database."""

# mypy: disable-error-code="import-not-found"
# Its libraries are in an environment of their own.

import hashlib
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import uuid4
from zoneinfo import ZoneInfo

from fastapi_model import (
    CAMPAIGNS,
    LATEST_RELEASE,
    NEVER_SHOWN,
    Campaign,
    DecideReply,
    DecideRequest,
    Decision,
    ReleaseStatus,
    Showings,
    State,
)

VISIT_GAP = timedelta(minutes=30)
RESERVATION = timedelta(minutes=30)


class Call(NamedTuple):
    """Everything that a rule may look at, except for the campaign."""

    person: str
    before: State | None
    after: State
    """With this call counted."""
    request: DecideRequest
    now: datetime


def seen(before: State | None, request: DecideRequest, now: datetime) -> State:
    """The state with this call counted."""
    day = now.astimezone(ZoneInfo(request.timezone)).date().isoformat()
    if before is None:
        return State(
            first_seen_at=now,
            last_seen_at=now,
            day=day,
            last_release_seen=request.release_id,
            attributes=request.attributes,
        )
    is_new = now - before.last_seen_at >= VISIT_GAP
    return before.model_copy(
        update={
            "last_seen_at": now,
            "day": day,
            "visits_today": (before.visits_today if before.day == day else 0) + is_new,
            "visits": before.visits + is_new,
            "campaigns": dict(before.campaigns),
            "attributes": request.attributes or before.attributes,
        }
    )


def refusal(campaign: Campaign, call: Call) -> str | None:
    """The first reason why a campaign is not shown."""
    return _audience_refuses(campaign, call) or _past_refuses(campaign, call) or _frequency_refuses(campaign, call)


def _audience_refuses(campaign: Campaign, call: Call) -> str | None:
    stated = call.request.attributes
    if campaign.device_types and stated.get("deviceType") not in campaign.device_types:
        return "segment"
    if campaign.regions and str(stated.get("region")).partition("-")[0] not in campaign.regions:
        return "segment"
    if not campaign.feature_flags.issubset(call.request.feature_flags):
        return "feature_flag"
    return "rollout" if campaign.percent < 100 and bucket(campaign.id, call.person) >= campaign.percent else None


def _past_refuses(campaign: Campaign, call: Call) -> str | None:
    before, after, least = call.before, call.after, campaign.min_days_since_last_seen
    if campaign.release_id is not None and call.request.release_id != campaign.release_id:
        return "release_not_running"
    if campaign.release_id is not None and (before is None or before.last_release_seen == campaign.release_id):
        return "release_seen"
    if least is not None and (before is None or call.now - before.last_seen_at <= timedelta(days=least)):
        return "too_recent"
    if after.visits < campaign.min_visits or after.visits_today < campaign.min_visits_today:
        return "too_few_visits"
    return "too_many_visits" if after.visits > campaign.max_visits else None


def _frequency_refuses(campaign: Campaign, call: Call) -> str | None:
    showings = call.after.campaigns.get(campaign.id, NEVER_SHOWN)
    if showings.last_offered_at is not None and call.now - showings.last_offered_at < RESERVATION:
        return "frequency"
    if len(showings.offered_at) >= campaign.lifetime:
        return "frequency"
    if campaign.cap is None:
        return None
    most, period = campaign.cap
    return "frequency" if sum(call.now - offered < period for offered in showings.offered_at) >= most else None


def bucket(salt: str, person: str) -> float:
    """The place of a person in a rollout, from 0 to 100."""
    return int.from_bytes(hashlib.sha256(f"{salt}:{person}".encode()).digest()[:8]) % 10_000 / 100


def evaluate(
    person: str, before: State | None, request: DecideRequest, now: datetime
) -> tuple[State, DecideReply, dict[str, str]]:
    """The state after the call, the answer, and what became of each campaign."""
    after = seen(before, request, now)
    call = Call(person, before, after, request, now)
    reasons = {each.id: refusal(each, call) for each in CAMPAIGNS}
    due = [each for each in CAMPAIGNS if reasons[each.id] is None]
    for winner in due[:1]:
        offered = after.campaigns.get(winner.id, NEVER_SHOWN).offered_at
        after.campaigns[winner.id] = Showings(last_offered_at=now, offered_at=[*offered, now][-winner.lifetime :])
    reply = DecideReply(
        decision_id=uuid4(),
        release_status=ReleaseStatus(
            latest_release_id=LATEST_RELEASE, already_seen=after.last_release_seen == LATEST_RELEASE
        ),
        decisions=[Decision(action="SHOW_DIALOG", campaign_id=each.id, payload=each.payload) for each in due[:1]],
    )
    verdicts = {campaign: reason or "due" for campaign, reason in reasons.items()}
    return after, reply, verdicts
