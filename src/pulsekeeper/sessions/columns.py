"""Openings, sessions that speak and events as the columns that statements take them in. Pure.

Where there are many, columns are text: that costs a tenth of what arrays of values do, which the driver encodes one by
one.
"""

from collections.abc import Sequence

import msgspec

from pulsekeeper.sessions.records import Opening, Speech
from pulsekeeper.sessions.speakers import Speaker

_SEPARATOR = b"\x1e"
"""Between JSON documents, as in RFC 7464: within one it can only be escaped."""
_OF_EVENTS = (
    "call_sessions", "call_ats", "call_acts", "event_calls", "event_ids", "names", "event_ats", "raw_ats", "seqs",
    "props", "separator", "cuts",
)  # fmt: skip
_NO_EVENTS = dict.fromkeys(_OF_EVENTS)


def of_openings(openings: Sequence[Opening]) -> dict[str, object]:
    """The columns of all openings."""
    return {
        "ats": [each.at for each in openings],
        "session_ids": [each.session_id for each in openings],
        "known_as": [each.known_as for each in openings],
        "otherwise": [each.otherwise for each in openings],
        "consent_versions": [each.consent_version for each in openings],
        "app_versions": [each.app_version for each in openings],
        "platforms": [each.platform for each in openings],
        "timezones": [each.timezone for each in openings],
        "replaces": [each.replace for each in openings],
    }


def of_speakers(heard: Sequence[Speaker]) -> dict[str, object]:
    """The columns of sessions."""
    return {
        "session_ids": _array([each.session_id for each in heard]),
        "installation_ids": _array([each.installation_id for each in heard]),
        "first_ats": _array([each.first_at for each in heard]),
        "last_ats": _array([each.last_at for each in heard]),
        "ends": _array([each.ends for each in heard]),
        "tells": _array([each.tells for each in heard]),
        "acts": _array([each.acts for each in heard]),
    }


def of_events(speeches: Sequence[Speech], places: Sequence[int]) -> dict[str, object]:
    """The columns of all events with the number of each one's speech, and of the speeches with those of their sessions.

    All of them are null where there is no event: mere signs of life need not be told apart.
    """
    events = [event for each in speeches for event in each.events]
    if not events:
        return _NO_EVENTS
    return {
        "call_sessions": _array(places),
        "call_ats": _array([each.at for each in speeches]),
        "call_acts": _array([each.acted for each in speeches]),
        "event_calls": _array([number for number, each in enumerate(speeches, 1) for _ in each.events]),
        "event_ids": _array([event.id for event in events]),
        "names": _array([event.name for event in events]),
        "event_ats": _array([event.at for event in events]),
        "raw_ats": _array([event.raw_at for event in events]),
        "seqs": _array([event.seq for event in events]),
        "props": _joined([event.props or b"" for event in events]),
        "separator": _SEPARATOR.decode(),
        "cuts": _array([event.is_cut for event in events]),
    }


def _array(values: Sequence[object]) -> str:
    """Ids, times, numbers, truths or names as PostgreSQL writes arrays: but for the brackets that is JSON."""
    return "{" + msgspec.json.encode(values)[1:-1].decode() + "}"


def _joined(documents: Sequence[bytes]) -> str:
    """JSON documents, or nothing, one after the other. `ValueError` for what is no JSON: it would mix up the others."""
    joined = _SEPARATOR.join(documents)
    if joined.count(_SEPARATOR) != max(len(documents) - 1, 0):
        raise ValueError("a document has a control character in it")
    return joined.decode()
