"""What of a made-up history has reached the service by now, as rows of its tables. Pure."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from random import Random
from uuid import UUID

import msgspec
from msgspec import Struct

from pulsekeeper.ids import uuid7
from pulsekeeper.sessions.model import EndReason, Settings
from pulsekeeper.sessions.sampling.population import Installation, Sample
from pulsekeeper.sessions.sampling.scripts import Ending, Script, write_script
from pulsekeeper.zones import zone_named

_ENDINGS = {Ending.FAREWELL: 60, Ending.SILENCE: 36, Ending.OFFLINE: 4}
_PEAKS = ((10.5, 1.5), (15.0, 2.0))
"""When people work: hours of the local day, and how far most are from them."""
_EARLIEST, _LATEST = 6.0, 22.0
"""Hours. No session reaches into the next day's."""
_FLUSH = 10.0
"""Seconds for which clients gather events."""
_LATENCY = 0.05


class SessionRow(Struct, frozen=True, kw_only=True):
    """A row of `sessions`."""

    id: UUID
    installation_id: UUID
    started_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    check_at: datetime
    acted: bool
    away: Sequence[tuple[datetime, datetime]]
    changes: int
    stale_since: datetime
    app_version: str
    platform: str
    timezone: str


class EventRow(Struct, frozen=True, kw_only=True):
    """A row of `events`."""

    received_at: datetime
    session_id: UUID
    installation_id: UUID
    id: UUID
    name: str
    at: datetime
    raw_at: datetime
    seq: int
    props: bytes | None
    is_cut: bool = False


class Visit(Struct, frozen=True):
    """A session with its events, as they are known by now."""

    session: SessionRow
    events: Sequence[EventRow]


def visits(
    sample: Sample, installations: Sequence[Installation], number: int, settings: Settings, now: datetime
) -> Iterator[Visit]:
    """The sessions of a day, by its number, as far as they have begun by `now`.

    Every day has a chance of its own, so that days can be made one after the other, or again.
    """
    rng, day = sample.random(f"day {number}"), sample.day(number)
    for installation in installations:
        if not installation.comes(rng, number, day):
            continue
        for _ in range(1 if installation.ends_on(number) else 1 + (rng.random() < 0.4) + (rng.random() < 0.15)):
            ending = _ending(rng, installation, number)
            plot = _Plot(rng, installation, _start(rng, installation.zone, day), settings, ending)
            if plot.start <= now:
                yield plot.by(now, installation.version(number))


class _Plot:
    """One session from its beginning to its end, whatever of it is known yet."""

    def __init__(
        self, rng: Random, installation: Installation, start: datetime, settings: Settings, ending: Ending
    ) -> None:
        self.start = start
        self._installation = installation
        self._settings = settings
        self._id = uuid7(start, rng.getrandbits(74))
        self._script = write_script(rng, settings, ending)
        self._end = start + timedelta(seconds=self._script.length)
        self._back = self._end + settings.timeout + settings.late * rng.uniform(0.0, 0.5)
        self._events = [*self._all_events(rng)]
        self._signs = sorted(self._all_signs())

    def by(self, now: datetime, version: str) -> Visit:
        """As it is known at a moment after its start."""
        events = [event for event in self._events if event.received_at <= now]
        signs = [sign for sign in self._signs if sign <= now]
        reason = self._reason(signs[-1], now)
        heard = [signs[-1], *(event.at for event in events)]
        session = SessionRow(
            id=self._id,
            installation_id=self._installation.id,
            started_at=self.start,
            last_seen_at=signs[-1],
            ended_at=max(heard) if reason else None,
            end_reason=reason,
            check_at=self.start + min(self._settings.timeout, self._settings.max_length),
            acted=any(event.name not in self._settings.own_events for event in events),
            away=[*_silences(signs, self._settings.fresh)],
            changes=1 + len({event.received_at for event in events}),
            stale_since=now,
            app_version=version,
            platform=self._installation.platform,
            timezone=self._installation.zone,
        )
        return Visit(session, events)

    def _reason(self, last_seen: datetime, now: datetime) -> EndReason | None:
        ending = self._script.ending
        if ending in {Ending.FAREWELL, Ending.WITHDRAWAL} and last_seen >= self._end:
            return EndReason.EXPLICIT if ending is Ending.FAREWELL else EndReason.CONSENT
        return EndReason.TIMEOUT if now - last_seen > self._settings.timeout else None

    def _all_events(self, rng: Random) -> Iterator[EventRow]:
        for seq, action in enumerate(self._script.actions):
            at = self.start + timedelta(seconds=action.offset)
            yield EventRow(
                received_at=self._received(action.offset),
                session_id=self._id,
                installation_id=self._installation.id,
                id=UUID(int=rng.getrandbits(128), version=4),
                name=action.name,
                at=at,
                raw_at=at + self._installation.clock_ahead,
                seq=seq,
                props=None if action.value is None else _props(action.value),
            )

    def _received(self, offset: float) -> datetime:
        """With the next call; what happens without a connection, when it is back."""
        script = self._script
        if script.ending is Ending.OFFLINE and offset >= script.offline:
            return self._back
        call = (offset // _FLUSH + 1) * _FLUSH + _LATENCY
        return self.start + timedelta(seconds=max(offset, min(call, script.offline)))

    def _all_signs(self) -> Iterator[datetime]:
        """Whenever the client was heard while the session was alive."""
        script: Script = self._script
        begins, ends = script.rest
        yield self.start
        for number in itertools.count(1):
            offset = number * self._settings.still_alive.total_seconds()
            if offset >= script.offline:
                break
            if not begins <= offset < ends:
                yield self.start + timedelta(seconds=offset)
        if begins < ends < script.offline:
            yield self.start + timedelta(seconds=ends)
        yield from (event.received_at for event in self._events if event.received_at < self._back)
        if script.ending in {Ending.FAREWELL, Ending.WITHDRAWAL}:
            yield self._end


def _silences(signs: Sequence[datetime], most: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """When the session was open and nobody could tell whether anybody was there."""
    return ((before + most, after) for before, after in itertools.pairwise(signs) if after - before > most)


def _ending(rng: Random, installation: Installation, number: int) -> Ending:
    if installation.ends_on(number):
        return Ending.WITHDRAWAL
    if installation.withdraws:
        return Ending.FAREWELL  # or its events might come after the withdrawal, and would be refused
    return rng.choices([*_ENDINGS], [*_ENDINGS.values()])[0]


def _start(rng: Random, zone: str, day: date) -> datetime:
    hour, spread = rng.choice(_PEAKS)
    seconds = 3600 * min(max(rng.gauss(hour, spread), _EARLIEST), _LATEST)
    midnight = datetime.combine(day, time(), zone_named(zone))
    return (midnight + timedelta(seconds=seconds)).astimezone(UTC)


@cache
def _props(value: tuple[str, str]) -> bytes:
    return msgspec.json.encode(dict([value]))
