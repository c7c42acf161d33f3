"""The sessions that speak in a batch: what their speeches, taken together, say about each of them. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from pulsekeeper.sessions.records import Speech


class Speaker(Struct, frozen=True, gc=False):
    """A session that speaks in a batch: all that its speeches say about it."""

    session_id: UUID
    installation_id: UUID
    first_at: datetime
    last_at: datetime
    ends: bool
    tells: bool
    """Whether there are events."""
    acts: bool


def speakers(speeches: Sequence[Speech], max_length: timedelta) -> tuple[list[int], list[Speaker]]:
    """The number of each speech's session, from 1, and the sessions in the order of their ids.

    They are told apart by numbers, because to hash and to compare UUIDs themselves is several times as slow.
    """
    ids = [each.claims.session_id.int for each in speeches]
    numbers = {session_id: number for number, session_id in enumerate(sorted(set(ids)), 1)}
    places = [numbers[session_id] for session_id in ids]
    groups: list[list[Speech]] = [[] for _ in numbers]
    for place, each in zip(places, speeches, strict=True):
        groups[place - 1].append(each)
    return places, [_alone(group[0]) if len(group) == 1 else _together(group, max_length) for group in groups]


def is_in_time(speech: Speech, max_length: timedelta) -> bool:
    """Whether it came before its session had been open for too long."""
    return speech.at <= speech.claims.started_at + max_length


def _alone(speech: Speech) -> Speaker:
    claims, at = speech.claims, speech.at
    return Speaker(claims.session_id, claims.installation_id, at, at, speech.ends, bool(speech.events), speech.acted)


def _together(group: Sequence[Speech], max_length: timedelta) -> Speaker:
    """Its last sign of life is the last one that came in time.

    Where all came later it is the last of all, which changes nothing: the session is found to be over.
    """
    claims = group[0].claims
    return Speaker(
        claims.session_id,
        claims.installation_id,
        first_at=min(each.at for each in group),
        last_at=max(each.at for each in [each for each in group if is_in_time(each, max_length)] or group),
        ends=any(each.ends for each in group),
        tells=any(each.events for each in group),
        acts=any(each.acted and each.events for each in group),
    )
