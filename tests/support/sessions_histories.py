"""Histories of sessions, played into the real tables as the room writes them, but row by row.

A `Life` is a session as it has come to be; what is computed from the tables can be held against it.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from hypothesis import strategies as st
from msgspec import Struct, field

from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.model import Settings

SETTINGS = Settings()
FRESH = 2 * SETTINGS.still_alive
LONG = timedelta(seconds=30)
_NAMES = ("story_opened", "story_closed", "page_navigated", "button_clicked", "still_alive")

PUT_INSTALLATION = inline(
    "insert into installations (id, first_at, consented_at) values (:id, :at, :at) on conflict do nothing"
)
PUT_SESSION = inline(
    """
    insert into sessions
        (id, installation_id, started_at, last_seen_at, ended_at, end_reason, check_at, acted, away, stale_since)
    values
        (:id, :installation, :started_at, :last_seen_at, :ended_at, :end_reason, :started_at, :acted,
        :away::text::tstzmultirange, case when :changed then :now::timestamptz end)
    on conflict (id) do update
    set last_seen_at = excluded.last_seen_at, ended_at = excluded.ended_at, end_reason = excluded.end_reason,
        acted = sessions.acted or excluded.acted, away = excluded.away,
        changes = sessions.changes + case when :changed then 1 else 0 end,
        stale_since = coalesce(sessions.stale_since, excluded.stale_since)
    """
)
EVENT_COLUMNS = ("received_at", "session_id", "installation_id", "id", "name", "at", "seq", "props", "is_cut")


class Happening(Struct, frozen=True, kw_only=True):
    """An event as it is stored."""

    number: int
    """Of all events; the same one may come again."""
    name: str
    at: datetime
    seq: int | None = None
    value: str | None = None

    @property
    def props(self) -> str | None:
        """As the client sent them."""
        key = "page" if self.name == "page_navigated" else "story"
        return None if self.value is None else json.dumps({key: self.value})


class Life(Struct, kw_only=True):
    """A session as it has come to be."""

    number: int
    installation: int
    started_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None = None
    end_reason: str | None = None
    acted: bool = False
    away: list[tuple[datetime, datetime]] = field(default_factory=list)
    events: dict[int, Happening] = field(default_factory=dict)

    @property
    def until(self) -> datetime:
        """Its last sign of life."""
        return self.ended_at or self.last_seen_at

    @property
    def is_active(self) -> bool:
        """Whether it makes its installation active."""
        return self.acted and self.until - self.started_at >= LONG


Kind = Literal["start", "speak", "end", "reap", "consent", "replace", "account"]
_ENDS: tuple[Kind | None, ...] = ("end", "reap", "consent", "replace", None)


class Step(Struct, frozen=True, kw_only=True):
    """Something that a session is told, or that is done to it, at a moment."""

    at: datetime
    session: int
    kind: Kind
    installation: int = 0
    events: tuple[Happening, ...] = ()


def uuid(number: int) -> UUID:
    """An id that is the same in every run."""
    return UUID(int=(0x0199 << 112) | number)


class Player:
    """Plays steps, in the order of time, and keeps the truth beside."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.lives: dict[int, Life] = {}

    async def play(self, step: Step) -> None:
        """One step; those that a session cannot take any more are passed over."""
        life = self.lives.get(step.session)
        if step.kind == "start" and life is None:
            life = Life(number=step.session, installation=step.installation, started_at=step.at, last_seen_at=step.at)
            self.lives[step.session] = life
            await self._database.execute(PUT_INSTALLATION, id=uuid(step.installation), at=step.at)
            await self._write(life, step.at, changed=False)
        elif life is not None and self._is_taken(life, step):
            told = {each.number: each for each in step.events}
            fresh = [each for number, each in told.items() if number not in life.events]
            was_long = life.until - life.started_at >= LONG
            changed = _live_on(life, step, fresh)
            is_long = life.until - life.started_at >= LONG
            await self._store(life, step.at, fresh)
            await self._write(life, step.at, changed=changed or bool(fresh) or was_long != is_long)

    def _is_taken(self, life: Life, step: Step) -> bool:
        if life.ended_at is None:
            return True
        is_late = step.kind == "speak" and bool(step.events) and life.end_reason != "consent"
        return is_late and step.at <= life.ended_at + SETTINGS.late

    async def _store(self, life: Life, at: datetime, fresh: Sequence[Happening]) -> None:
        life.events |= {each.number: each for each in fresh}
        of = (uuid(life.number), uuid(life.installation))
        rows = [(at, *of, uuid(each.number), each.name, each.at, each.seq, each.props, False) for each in fresh]
        await self._database.copy_in("events", EVENT_COLUMNS, rows)

    async def _write(self, life: Life, now: datetime, *, changed: bool) -> None:
        await self._database.execute(
            PUT_SESSION,
            id=uuid(life.number),
            installation=uuid(life.installation),
            started_at=life.started_at,
            last_seen_at=life.last_seen_at,
            ended_at=life.ended_at,
            end_reason=life.end_reason,
            acted=life.acted,
            away="{" + ",".join(f"({since.isoformat()},{until.isoformat()})" for since, until in life.away) + "}",
            changed=changed,
            now=now,
        )


def _live_on(life: Life, step: Step, fresh: Sequence[Happening]) -> bool:
    """What becomes of a session; true when more of it changes than its last sign of life."""
    life.acted = life.acted or any(each.name not in SETTINGS.own_events for each in fresh)
    if life.ended_at is not None:
        latest = max((each.at for each in fresh), default=life.ended_at)
        ended_at, life.ended_at = life.ended_at, max(life.ended_at, latest)
        return life.ended_at != ended_at
    if step.kind in ("speak", "end"):
        if life.last_seen_at < step.at - FRESH:
            life.away.append((life.last_seen_at + FRESH, step.at))
        life.last_seen_at = step.at
    if step.kind != "speak":
        reasons = {"end": "explicit", "reap": "timeout", "consent": "consent", "replace": "replaced"}
        life.ended_at, life.end_reason = life.last_seen_at, reasons[step.kind]
    return step.kind != "speak" or bool(life.away)


@st.composite
def histories(draw: st.DrawFn, around: datetime, days: int) -> list[Step]:
    """Sessions of a few installations in the days around a moment, in the order of time."""
    numbers = iter(range(1, 1_000_000))
    steps = [
        step
        for number in range(1, draw(st.integers(1, 7)) + 1)
        for step in draw(_session(number, around, days, numbers))
    ]
    steps += [
        Step(at=around + _seconds(draw(st.integers(-days, days)) * 43_200), session=0, kind="account")
        for _ in range(draw(st.integers(0, 3)))
    ]
    order = draw(st.permutations(steps))
    return sorted(order, key=lambda step: step.at)


@st.composite
def _session(draw: st.DrawFn, number: int, around: datetime, days: int, numbers: Iterator[int]) -> list[Step]:
    """A start; signs of life, some with events, some after a gap; an end of some kind or none; and late events."""
    at = around + _seconds(draw(st.integers(-days * 43_200, days * 43_200)))
    installation = 500 + draw(st.integers(1, 3))
    steps = [Step(at=at, session=number, kind="start", installation=installation)]
    sent: list[Happening] = []
    for _ in range(draw(st.integers(0, 5))):
        at += _seconds(draw(st.sampled_from((0, 5, 10, 20, 29.999999, 30, 300, 700, 3000))))
        events = draw(st.lists(_happening(at, numbers), max_size=4))
        again = draw(st.lists(st.sampled_from(sent), max_size=2)) if sent else []
        sent += events
        steps.append(Step(at=at, session=number, kind="speak", events=(*events, *again)))
    kind = draw(st.sampled_from(_ENDS))
    if kind is not None:
        at += _seconds(draw(st.sampled_from((0, 10, 600))) if kind != "reap" else 3601)
        steps.append(Step(at=at, session=number, kind=kind))
        at += _seconds(draw(st.sampled_from((1, 7200, 80_000))))
        late = draw(st.lists(_happening(at, numbers), max_size=3))
        steps.append(Step(at=at, session=number, kind="speak", events=tuple(late)))
    return steps


@st.composite
def _happening(draw: st.DrawFn, received: datetime, numbers: Iterator[int]) -> Happening:
    """It may have happened a while before it was received, and have a number in the session that says otherwise."""
    number = 1000 + next(numbers)
    return Happening(
        number=number,
        name=draw(st.sampled_from(_NAMES)),
        at=received - _seconds(draw(st.sampled_from((0, 1, 15, 400, 5000)))),
        seq=draw(st.one_of(st.none(), st.integers(0, 9).map(lambda part: part * 100_000 + number))),
        value=draw(st.sampled_from((None, "Button", "Menu", "ÄÖ"))),
    )


def _seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def live(number: int, start: datetime, *signs: float, installation: int = 501, **more: Any) -> list[Step]:
    """A session that speaks so many seconds after its start, each time with what it has done, and then ends."""
    steps = [Step(at=start, session=number, kind="start", installation=installation)]
    for sign in signs:
        at = start + _seconds(sign)
        done = Happening(number=1000 * number + len(steps), name=more.get("name", "button_clicked"), at=at)
        steps.append(Step(at=at, session=number, kind="speak", events=(done,)))
    if more.get("ends", True):
        steps.append(Step(at=steps[-1].at, session=number, kind="end"))
    return steps


async def play_all(database: Database, steps: Iterable[Step]) -> Player:
    """Play steps without any accountant."""
    player = Player(database)
    for step in sorted(steps, key=lambda step: step.at):
        await player.play(step)
    return player


def utc(text: str) -> datetime:
    """`2026-10-25 00:30` in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
