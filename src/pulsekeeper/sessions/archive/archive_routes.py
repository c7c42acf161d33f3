"""What is stored, for operators: one session, or the events of a time as a file."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

import trio

from pulsekeeper import errors
from pulsekeeper.clock import Clock
from pulsekeeper.sessions.archive import archive_operations, lake
from pulsekeeper.sessions.archive.archive_store import ArchiveStore
from pulsekeeper.sessions.archive.exports import open_export
from pulsekeeper.sessions.archive.formats import PARQUET_TYPE, TEXT_FORMATS
from pulsekeeper.sessions.archive.periods import ExportQuery, Format, Period, period_of
from pulsekeeper.sessions.archive.timeline import TimelineQuery, as_of, timeline
from pulsekeeper.sessions.model import Settings
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.query import decode_query
from pulsekeeper.web.wire import Reply, Request, json_reply

_MOST_EXPORTS = 2
"""At once, on this node: each keeps a connection to the database busy."""
_RETRY_AFTER = 30.0


class ArchiveRoutes:
    """Decode, read, reply."""

    def __init__(self, store: ArchiveStore, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._places = trio.Semaphore(_MOST_EXPORTS, max_value=_MOST_EXPORTS)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The routes of the archive."""
        return (archive_operations.export_events(self.export), archive_operations.show_session(self.show))

    async def show(self, request: Request) -> Reply:
        """A session with a page of its events."""
        session_id, query = _session_id(request), decode_query(request, TimelineQuery)
        session = await self._store.session(session_id)
        events = await self._store.events(session, query.after, query.limit + 1)
        return json_reply(timeline(as_of(session, self._settings, self._clock()), events, query.limit))

    async def export(self, request: Request) -> Reply:
        """Whatever can be refused is refused here: once the stream is opened, it can only be broken off."""
        query = decode_query(request, ExportQuery)
        period = period_of(query, self._clock())
        if query.format == "parquet":
            lake.require()
        if not self._places.value:
            raise errors.Overloaded("Other exports are under way. Try again later.", retry_after=_RETRY_AFTER)
        await self._store.check()
        return Reply(
            status=200,
            content_type=TEXT_FORMATS[query.format].content_type if query.format in TEXT_FORMATS else PARQUET_TYPE,
            headers=(("Content-Disposition", f'attachment; filename="{_name(period, query.format)}"'),),
            stream=partial(self._stream, period, query.format),
        )

    @asynccontextmanager
    async def _stream(self, period: Period, to: Format) -> AsyncIterator[AsyncIterator[bytes]]:
        """Of those that were let in at the same moment some may have to wait here."""
        async with self._places, open_export(self._store, period, to) as chunks:
            yield chunks


def _session_id(request: Request) -> UUID:
    text = request.path_params["id"]
    try:
        return UUID(text)
    except ValueError:
        raise errors.Invalid(f"{text[:64]!r} is not the id of a session.") from None


def _name(period: Period, to: Format) -> str:
    """By the minute, in UTC."""
    return f"events-{period.since:%Y%m%dT%H%MZ}-{period.until:%Y%m%dT%H%MZ}.{to}"
