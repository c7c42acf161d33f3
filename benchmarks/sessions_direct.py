"""The statements that store events, without anything around them: what the database itself could do."""

import itertools
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from time import perf_counter
from uuid import UUID

import msgspec

from benchmarks import servers
from benchmarks.measuring import Sample
from benchmarks.sessions_clients import SHAPES, start_sessions
from pulsekeeper.clock import utc_now
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.records import Claims, Event, Speech
from pulsekeeper.sessions.store import SessionStore


class Speaker:
    """Speaks for sessions of its own as the recorder does, one batch after the other."""

    def __init__(self, store: SessionStore, claims: Sequence[Claims]) -> None:
        self._store = store
        self._claims = itertools.cycle(claims)

    async def speak(self, calls: int, size: int, seconds: float) -> Sample:
        """Batches of so many calls with so many events each. What makes the events does not count.

        Raises `ServerFailed` when an event is not stored, for which there is no reason.
        """
        times: list[float] = []
        while sum(times) < seconds:
            batch = self._batch(calls, size)
            start = perf_counter()
            heard = await self._store.speak(batch)
            times.append(perf_counter() - start)
            if any(each.stored != size for each in heard):
                raise servers.ServerFailed("events beside the node were not stored")
        return Sample(calls=len(times) * calls, elapsed=sum(times), latencies=times, extra={"errors": 0.0})

    def _batch(self, calls: int, size: int) -> Sequence[Speech]:
        now = utc_now()
        claims = itertools.islice(self._claims, calls)
        return [Speech(claims=each, at=now, events=tuple(_events(size, now)), acted=True) for each in claims]


@asynccontextmanager
async def open_speaker(url: str, sessions: int) -> AsyncIterator[Speaker]:
    """In the database of a node, which has made the tables."""
    claims = await start_sessions(url, sessions, utc_now())
    async with servers.connected(url) as database:
        yield Speaker(SessionStore(database, Settings()), claims)


def _events(size: int, now: datetime) -> Iterator[Event]:
    shapes = [(name, msgspec.json.encode(props)) for name, props in SHAPES]
    for seq, (name, props) in enumerate(itertools.islice(itertools.cycle(shapes), size)):
        event_id = UUID(bytes=secrets.token_bytes(16), version=4)
        yield Event(id=event_id, name=name, at=now, raw_at=now, seq=seq, props=props, is_cut=False)
