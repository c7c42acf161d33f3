"""What the statistics count, in PostgreSQL. They are read from what is logged, and change nothing."""

from collections.abc import Mapping
from datetime import timedelta

from pulsekeeper.decisions.audit.stats import Days, Impressions, ReleaseReply
from pulsekeeper.postgres import queries
from pulsekeeper.postgres.rows import Row
from pulsekeeper.postgres.statements import Statements

_Q = queries.load("pulsekeeper.decisions")


class StatsStore:
    """Numbers of campaigns and releases. Every method raises `errors.Unavailable` when the database is away."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def impressions(self, campaign_id: str, days: Days) -> Mapping[int | None, Impressions]:
        """What became of a campaign, by the place of the day, from 1; under `None` on all days together."""
        rows = await self._statements.fetch(
            _Q.count_impressions,
            campaign_id=campaign_id,
            starts=days.starts,
            start=days.starts[0],
            until=days.end,
        )
        return {row["place"]: _impressions(row) for row in rows}

    async def release(self, release_id: str, visit_gap: timedelta) -> ReleaseReply:
        """How far the news of a release have come; `visit_gap` is how long a first visit lasts."""
        [row] = await self._statements.fetch(_Q.count_release, release_id=release_id, visit_gap=visit_gap)
        return ReleaseReply(
            release_id=release_id,
            visitors=row["visitors"],
            offered=row["offered"],
            shown=row["shown"],
            acknowledged=row["acknowledged"],
            acknowledged_on_first_visit=row["acknowledged_on_first_visit"],
        )


def _impressions(row: Row) -> Impressions:
    return Impressions(
        offered=row["offered"],
        shown=row["shown"],
        dismissed=row["dismissed"],
        completed=row["completed"],
        people=row["people"],
    )
