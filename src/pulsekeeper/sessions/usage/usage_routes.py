"""Figures for operators."""

import trio

from pulsekeeper.clock import Clock
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.usage import usage_operations
from pulsekeeper.sessions.usage.assembling import reply_of
from pulsekeeper.sessions.usage.calendar import MetricsQuery, buckets_of
from pulsekeeper.sessions.usage.figures_store import FiguresStore
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.query import decode_query
from pulsekeeper.web.wire import Reply, Request, json_reply


class UsageRoutes:
    """Decode, count, reply."""

    def __init__(self, figures: FiguresStore, settings: Settings, clock: Clock) -> None:
        self._figures = figures
        self._settings = settings
        self._clock = clock

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The routes of figures."""
        return (usage_operations.measure(self.measure),)

    async def measure(self, request: Request) -> Reply:
        """Local days or weeks, one by one and together."""
        query, now = decode_query(request, MetricsQuery), self._clock()
        buckets = buckets_of(query, now)
        counts = await self._figures.counts(buckets, now)
        # In a thread: putting many sessions together takes long, and pages must not wait for an operator.
        return json_reply(await trio.to_thread.run_sync(reply_of, buckets, counts, self._settings, now))
