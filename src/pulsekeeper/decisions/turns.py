"""One person, and the questions that came in together: each is decided on what the one before it left behind."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from pulsekeeper.decisions.book import RuleBook
from pulsekeeper.decisions.model import DecideReply, DecideRequest, VisitorState
from pulsekeeper.decisions.people import Person
from pulsekeeper.decisions.records import LogRow, Stored, Write
from pulsekeeper.decisions.rules import Outcome, decide
from pulsekeeper.ids import uuid7

_encoder = msgspec.json.Encoder()
_states = msgspec.json.Decoder(VisitorState)


def decide_in_turn(
    book: RuleBook, person: Person, stored: Stored, requests: Sequence[DecideRequest], now: datetime
) -> Write:
    """Decide at least one request, and give what is to be written; `log` has a row with the reply for each of them."""
    state = None if stored.state is None else _states.decode(stored.state)
    before, after, log = stored.state, b"", []
    for request in requests:
        outcome = decide(book, person, state, request, now)
        log.append(_log_row(outcome, request, before, now))
        state = outcome.after
        before = after = _encoder.encode(state)
    return Write(
        person_key=person.key,
        seen_version=stored.version,
        new_version=outcome.after.version,
        last_seen_at=outcome.after.last_seen_at,
        state=after,
        log=log,
    )


def _log_row(outcome: Outcome, request: DecideRequest, state_before: bytes | None, now: datetime) -> LogRow:
    decision_id = uuid7(now)
    reply = DecideReply(
        decision_id=str(decision_id),
        release_status=outcome.release_status,
        decisions=outcome.decisions,
        next_check_in_seconds=outcome.next_check_seconds,
    )
    anonymous = msgspec.structs.replace(request, visitor_id=None)  # the log knows pseudonyms only
    return LogRow(
        decision_id=decision_id,
        request=_encoder.encode(anonymous),
        state_before=state_before,
        reply=_encoder.encode(reply),
        reasons=_encoder.encode({verdict.campaign_id: verdict.reason for verdict in outcome.verdicts}),
    )
