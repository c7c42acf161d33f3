"""How the routes of statistics are described to those who call them."""

from datetime import date
from functools import partial
from typing import Literal

from pulsekeeper.decisions.audit.stats import MOST_DAYS, ImpressionsReply, ReleaseReply
from pulsekeeper.decisions.rules.campaigns import Name, Slug
from pulsekeeper.web.endpoints import Answer, Endpoint, Parameter
from pulsekeeper.web.identity import Scope
from pulsekeeper.web.wire import Handler

_COUNTED = {"offered": 40, "shown": 31, "dismissed": 12, "completed": 9, "people": 38}
_IMPRESSIONS = {
    "campaignId": "welcome-back",
    "timezone": "Europe/Paris",
    "total": _COUNTED,
    "days": [{"day": "2025-10-26", **_COUNTED}],
}
_RELEASE = {
    "releaseId": "2025.10.1",
    "visitors": 1200,
    "offered": 900,
    "shown": 840,
    "acknowledged": 610,
    "acknowledgedOnFirstVisit": 402,
}

_endpoint = partial(Endpoint, method="GET", tag="statistics", scope=Scope.ADMIN)
_parameters = (
    Parameter(name="campaignId", description="The campaign.", type=Slug, required=True, example="welcome-back"),
    Parameter(
        name="from",
        description="The first day, in the zone; 29 days before `to` unless given.",
        type=date,
        example="2025-10-01",
    ),
    Parameter(
        name="to",
        description="The last day, which is counted as well; today unless given.",
        type=date,
        example="2025-10-31",
    ),
    Parameter(name="bucket", description="What is counted together.", type=Literal["day"]),
    Parameter(name="timezone", description="The IANA zone of the days; UTC unless given.", example="Europe/Paris"),
)


def count_impressions(handler: Handler) -> Endpoint:
    """`GET /api/experience/stats/impressions`."""
    return _endpoint(
        path="/api/experience/stats/impressions",
        handler=handler,
        operation_id="countImpressions",
        summary="What became of a campaign, day by day.",
        description=(
            "Offers that pages were given, and what they reported back, by the moment at which it happened; `people`"
            f" are different ones. At most {MOST_DAYS} days at once. Days before `log_retention` count nothing."
        ),
        parameters=_parameters,
        answers={200: Answer(description="A number for each day.", type=ImpressionsReply, example=_IMPRESSIONS)},
    )


def count_release(handler: Handler) -> Endpoint:
    """`GET /api/experience/stats/releases/{id}`."""
    return _endpoint(
        path="/api/experience/stats/releases/{id}",
        handler=handler,
        operation_id="countRelease",
        summary="How far the news of a release have come.",
        description=(
            "People, not events. A release is announced by the campaigns whose trigger names it, and by those of type"
            " `release` that name none, while the page runs it; those that exist now are counted. Who has completed or"
            " dismissed an announcement has acknowledged it; on the first visit, if that was within `visit_gap` of"
            " their first call with this release."
        ),
        parameters=(Parameter(name="id", description="The release's id.", type=Name, example="2025.10.1"),),
        answers={200: Answer(description="How many people.", type=ReleaseReply, example=_RELEASE)},
    )
