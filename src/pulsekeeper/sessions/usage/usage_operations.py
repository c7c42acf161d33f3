"""How the route of figures is described to those who call it."""

from datetime import date

from pulsekeeper.sessions.usage.calendar import MOST_DAYS, Bucket
from pulsekeeper.sessions.usage.figures import MetricsReply
from pulsekeeper.web.endpoints import Answer, Endpoint, Parameter
from pulsekeeper.web.identity import Scope
from pulsekeeper.web.wire import Handler

_FIGURES = {
    "sessionsStarted": 120,
    "sessionsEnded": {"explicit": 80, "timeout": 30, "consent": 1, "max_length": 0, "replaced": 4},
    "lengthP50Seconds": 412.5,
    "lengthP95Seconds": 5310.0,
    "activeUsers": 61,
    "peakConcurrent": 14,
    "storySeconds": 20950.2,
    "storiesUnclosed": 3,
    "storiesOpened": 640,
    "storiesClosed": 637,
    "pagesNavigated": 210,
    "events": {"page_navigated": 210, "story_closed": 637, "story_opened": 640},
}
_COHORT = {"start": "2026-11-21", "size": 61, "active": [61, 22], "complete": False}
_REPLY = {
    "from": "2026-11-21",
    "to": "2026-11-21",
    "timezone": "Europe/Berlin",
    "bucket": "day",
    "current": True,
    "concurrentNow": 9,
    "totals": _FIGURES,
    "buckets": [{"start": "2026-11-21", "complete": True, **_FIGURES}],
    "topStories": [{"value": "Button", "count": 310}],
    "topPages": [{"value": "/docs", "count": 92}],
    "retention": {"first": [_COHORT], "all": [_COHORT]},
}


def measure(handler: Handler) -> Endpoint:
    """`GET /api/sessions/metrics`."""
    return Endpoint(
        method="GET",
        path="/api/sessions/metrics",
        handler=handler,
        tag="sessions",
        operation_id="measureSessions",
        summary="Who was using it, when, and what for.",
        description=(
            "By local days, or by ISO weeks, which are always whole. Sessions, their lengths, active users and"
            " retention are as they are now; what depends on events is worked out a minute or so later. Length is from"
            " the start to the end, which is the last sign of life, of the sessions that were started in the bucket;"
            " an end is counted on its own day. An active user is an installation with a session that was started in"
            " the bucket, in which something was done, and whose last sign of life is at least 30 seconds after its"
            " start; two shorter ones do not add up. Retention follows those who were active in a bucket, once those"
            f" for whom it was the first time ever and once all. At most {MOST_DAYS} days at once."
        ),
        parameters=(
            Parameter(
                name="from",
                description="The first day, in the zone; 29 days before `to` unless given.",
                type=date,
                example="2026-11-01",
            ),
            Parameter(
                name="to",
                description="The last day, which is counted as well; today unless given.",
                type=date,
                example="2026-11-22",
            ),
            Parameter(name="bucket", description="What is counted together; `day` unless given.", type=Bucket),
            Parameter(
                name="timezone", description="The IANA zone of the days; UTC unless given.", example="Europe/Berlin"
            ),
        ),
        answers={200: Answer(description="The figures.", type=MetricsReply, example=_REPLY)},
        scope=Scope.METRICS,
    )
