"""Sessions and events as they are stored, some of them nasty."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from pulsekeeper.postgres.database import Database

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SESSION, INSTALLATION = UUID(int=1), UUID(int=2)
NASTY: tuple[dict[str, object] | None, ...] = (
    None,
    {},
    {"story": 'a "quoted", comma; semicolon\r\nand lines\ttabs \\ backslash'},
    {"=cmd|' /C calc'!A0": ";=HYPERLINK(1)", "@sum": "+1", "-": "-2"},
    {"unicode": "žlutý 🐎 \u2028 \u202e \x7f \x9b", "é": None},
    {"long": "ü" * 512},
    {"whole": -(2**63), "big": 2**63 - 1, "float": 1e-300, "yes": True, "no": False, "null": None, "zero": 0},
    {"empty": "", "looks": "null", "spaces": "  "},
)


async def add_session(database: Database, **columns: Any) -> UUID:
    """A session that is open since noon, but for what `columns` say."""
    row = {
        "id": SESSION,
        "installation_id": INSTALLATION,
        "started_at": NOON,
        "last_seen_at": NOON,
        "check_at": NOON,
        "acted": False,
        "changes": 0,
        **columns,
    }
    await database.copy_in("sessions", tuple(row), [tuple(row.values())])
    return UUID(str(row["id"]))


async def add_events(database: Database, *events: dict[str, Any]) -> list[UUID]:
    """Events of the session, a second apart from noon on, but for what each says; their ids."""
    rows = [_event(place) | event for place, event in enumerate(events)]
    await database.copy_in("events", tuple(_event(0)), [tuple(row.values()) for row in rows])
    return [row["id"] for row in rows]


async def add_nasty(database: Database) -> None:
    """An event for each of the nasty properties."""
    await add_events(database, *({"props": encoded(props)} for props in NASTY))


async def add_many(database: Database, count: int, start: datetime = NOON) -> None:
    """Many events, a millisecond apart."""
    step = timedelta(milliseconds=1)
    props = encoded({"story": "Button"})
    rows = (
        tuple((_event(0) | {"id": UUID(int=place), "received_at": start + place * step, "props": props}).values())
        for place in range(count)
    )
    await database.copy_in("events", tuple(_event(0)), rows)


def encoded(props: object) -> bytes | None:
    """As it is stored."""
    return None if props is None else msgspec.json.encode(props)


def props_of(texts: Sequence[str | None]) -> list[object]:
    """As it was stored."""
    return [None if text is None else msgspec.json.decode(text) for text in texts]


def _event(place: int) -> dict[str, Any]:
    at = NOON + timedelta(seconds=place)
    return {
        "received_at": at,
        "session_id": SESSION,
        "installation_id": INSTALLATION,
        "id": UUID(int=1000 + place),
        "name": "story_opened",
        "at": at,
        "raw_at": None,
        "seq": None,
        "props": None,
        "is_cut": False,
    }
