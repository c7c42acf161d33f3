"""What an answer means. The status decides first, the problem's code second; a page from somewhere else means nothing.

Between a program and the service there are proxies, portals and policies that answer in its place. What they say is
never taken for consent withdrawn or for an event stored: whatever is not the service's own word is an outage.
"""

from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from msgspec import Struct

from pulsekeeper.client.model import Answer, Kind, Problem, Receipt, Session

LONGEST_WAIT = 3600.0
"""Seconds that a `Retry-After` can keep the client away."""


class Done(Struct, frozen=True):
    """There is nothing more to it."""


class Later(Struct, frozen=True):
    """Nothing was done. The same again after a while, and not before so many seconds."""

    seconds: float = 0.0


class SessionLost(Struct, frozen=True):
    """The session is not one of the service's any more: another has to be started."""


class Forbidden(Struct, frozen=True):
    """The user has not agreed: nothing more may be sent."""

    reason: str


class TooLarge(Struct, frozen=True):
    """The call is more than the service takes at once."""


class Refused(Struct, frozen=True):
    """The service does not want the call, and will hardly want it the next time."""

    status: int


Meaning = Session | Receipt | Done | Later | SessionLost | Forbidden | TooLarge | Refused

_SOMEBODY_ELSE = frozenset({402, 407, 408, 421, 425, 429, 431, 451, 511})
"""Statuses about the way to the service, or about the moment: not about what was sent."""
_HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"
_CONSENT = frozenset({None, "", "consent_required", "consent_withdrawn"})

_T = TypeVar("_T", Session, Receipt)
_session = msgspec.json.Decoder(Session)
_receipt = msgspec.json.Decoder(Receipt)
_problem = msgspec.json.Decoder(Problem)


def meaning(kind: Kind, answer: Answer | None, now: datetime, events: int = 0) -> Meaning:
    """What `answer` means for a call of this kind with so many events; `None` is no answer at all."""
    if answer is None:
        return Later()
    if kind is Kind.INGEST and answer.status in {200, 400}:
        return _receipt_in(answer, events) or (Later() if answer.status == 200 else Refused(400))
    if 200 <= answer.status < 300:
        return _success(kind, answer)
    if answer.status < 400 or answer.status >= 500 or answer.status in _SOMEBODY_ELSE:
        return Later(seconds_of(answer.retry_after, now))
    return _refusal(answer)


def _success(kind: Kind, answer: Answer) -> Meaning:
    if kind is Kind.START:
        return _decoded(_session, answer.body) or Later()
    return Done() if answer.status == 204 else Later()  # a portal's page has a content, and is 200


def _refusal(answer: Answer) -> Meaning:
    match answer.status:
        case 401 | 404 | 409 | 410:
            return SessionLost()
        case 403:
            return _forbidden(answer)
        case 413:
            return TooLarge()
        case status:
            return Refused(status)


def _forbidden(answer: Answer) -> Meaning:
    """Only the service can say that there is no consent. Everybody else who says 403 is in the way, maybe for now."""
    if not answer.content_type.lower().startswith("application/problem+json"):
        return Later()
    problem: Problem | None = None
    with suppress(msgspec.DecodeError):
        problem = _problem.decode(answer.body)
    if problem is None or problem.code not in _CONSENT:
        return Later()
    return Forbidden(problem.code or "consent_withdrawn")


def _receipt_in(answer: Answer, events: int) -> Receipt | None:
    """A receipt, if it is one for so many events: anything else must not make an event be forgotten."""
    receipt = _decoded(_receipt, answer.body)
    if receipt is None or receipt.accepted + receipt.duplicates + len(receipt.rejected) != events:
        return None
    places = {refusal.index for refusal in receipt.rejected}
    return receipt if len(places) == len(receipt.rejected) and places <= set(range(events)) else None


def _decoded(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T | None:
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        return decoder.decode(body)
    return None


def seconds_of(retry_after: str | None, now: datetime) -> float:
    """A `Retry-After`, in seconds or as a date, as seconds from `now`: at most an hour, 0 for what cannot be read."""
    if retry_after is None:
        return 0.0
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT)
    with suppress(ValueError):
        at = datetime.strptime(text, _HTTP_DATE).replace(tzinfo=UTC)
        return min(max(0.0, (at - now).total_seconds()), LONGEST_WAIT)
    return 0.0
