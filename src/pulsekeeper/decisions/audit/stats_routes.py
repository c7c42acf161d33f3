"""Numbers for operators."""

from datetime import timedelta

from pulsekeeper.clock import Clock
from pulsekeeper.decisions.audit import stats_operations
from pulsekeeper.decisions.audit.stats import ImpressionsQuery, days_of, reply_of
from pulsekeeper.decisions.audit.stats_store import StatsStore
from pulsekeeper.decisions.rules.campaigns import Name
from pulsekeeper.validation import convert
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.query import decode_query
from pulsekeeper.web.wire import Reply, Request, json_reply


class StatsRoutes:
    """Decode, count, reply."""

    def __init__(self, stats: StatsStore, visit_gap: timedelta, clock: Clock) -> None:
        self._stats = stats
        self._visit_gap = visit_gap
        self._clock = clock

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The routes of statistics."""
        return (stats_operations.count_impressions(self.impressions), stats_operations.count_release(self.release))

    async def impressions(self, request: Request) -> Reply:
        """A campaign, day by day."""
        query = decode_query(request, ImpressionsQuery)
        days = days_of(query, self._clock())
        return json_reply(reply_of(query, days, await self._stats.impressions(query.campaign_id, days)))

    async def release(self, request: Request) -> Reply:
        """A release that nobody has registered has numbers, too: pages may run it."""
        release_id = convert(request.path_params["id"], Name, unknown="refuse")
        return json_reply(await self._stats.release(release_id, self._visit_gap))
