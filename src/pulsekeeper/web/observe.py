"""What remains of a request: a log line, a count and a duration. Never an address, a query, a key or a body."""

import structlog
import trio
from prometheus_client import CollectorRegistry, Counter, Histogram

from pulsekeeper.errors import PulsekeeperError
from pulsekeeper.web.settings import Settings
from pulsekeeper.web.wire import Reply, Request

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_REFUSED = 400
_log = structlog.get_logger("pulsekeeper.web")


class Observer:
    """Counts and logs. Routes are named by their template, so a scan of made-up paths adds no time series."""

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        self._log = getattr(_log.bind(), settings.access_log, None)
        """Bound once: finding the logger anew takes a third of a line."""
        self._logs_hot_calls = settings.access_log_hot_calls
        self._tallies: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        """The time series of each route and status. There are as many as the routes have answers."""
        self._requests = Counter(
            "pulsekeeper_http_requests",
            "Requests answered, by route and status.",
            ("route", "status"),
            registry=registry,
        )
        self._durations = Histogram(
            "pulsekeeper_http_request_duration_seconds",
            "From the request's head to its reply, by route.",
            ("route",),
            registry=registry,
            buckets=_BUCKETS,
        )

    def note(self, route: str, request: Request, reply: Reply, seconds: float, *, hot: bool) -> None:
        """A request has been answered; it took `seconds`.

        A `hot` one that went well is counted, but gets no line of its own unless that is asked for: writing it would
        cost as much as answering.
        """
        tallies = self._tallies.get((route, reply.status))
        if tallies is None:
            tallies = self._requests.labels(route, reply.status), self._durations.labels(route)
            self._tallies[route, reply.status] = tallies
        tallies[0].inc()
        tallies[1].observe(seconds)
        is_of_interest = not hot or self._logs_hot_calls or reply.status >= _REFUSED
        if self._log is not None and is_of_interest:
            self._log(
                "request",
                method=request.method if request.method in _METHODS else "OTHER",
                route=route,
                status=reply.status,
                milliseconds=round(seconds * 1000, 2),
                request_id=request.request_id,
            )

    def bug(self, route: str, request: Request, error: Exception) -> None:
        """A handler broke. The traceback is logged; what was sent to it is not."""
        _log.error("request_failed", route=route, request_id=request.request_id, exc_info=error)

    def cut_off(self, route: str, request: Request, error: Exception) -> None:
        """A reply has failed midway: by an outage, or by a bug, of which the traceback is logged."""
        is_outage = isinstance(error, PulsekeeperError | trio.TooSlowError)
        cause = {"reason": str(error) or type(error).__name__} if is_outage else {"exc_info": error}
        log = _log.warning if is_outage else _log.error
        log("reply_cut_off", route=route, request_id=request.request_id, **cause)
