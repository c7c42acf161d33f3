"""What a client is told about its events: the judgement of each, and how their session stood. Pure."""

from collections.abc import Mapping

from pulsekeeper.sessions.judging import Judged
from pulsekeeper.sessions.model import IngestReply, Reason, Refusal
from pulsekeeper.sessions.records import Heard, Standing

_REFUSED: Mapping[Standing, Reason] = {
    Standing.UNKNOWN: Reason.UNKNOWN_SESSION,
    Standing.TOO_LATE: Reason.TOO_LATE,
}


def ingest_reply(judged: Judged, heard: Heard) -> IngestReply:
    """What became of each event of a call: those that were fit to be stored shared the fate of their session."""
    reason = _REFUSED.get(heard.standing)
    if reason is None:
        duplicates = len(judged.events) - heard.stored
        return IngestReply(accepted=heard.stored, duplicates=duplicates, rejected=judged.refusals)
    refused = (Refusal(place, str(event.id), reason) for place, event in zip(judged.places, judged.events, strict=True))
    rejected = sorted((*judged.refusals, *refused), key=lambda refusal: refusal.index)
    return IngestReply(accepted=0, duplicates=0, rejected=tuple(rejected))
