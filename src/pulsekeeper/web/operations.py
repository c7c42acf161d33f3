"""The endpoints that every service has: is it alive, is it ready, its metrics, its own description."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec
from prometheus_client import generate_latest

from pulsekeeper.web import docs, openapi
from pulsekeeper.web.endpoints import Answer, Endpoint
from pulsekeeper.web.gate import Services
from pulsekeeper.web.identity import Scope
from pulsekeeper.web.problems import EXPLANATIONS
from pulsekeeper.web.wire import Handler, Reply, Request, json_reply

_TAG = "operations"
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_STYLE = "/docs/style.css"
_DOCS_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class Health(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(msgspec.Struct, frozen=True):
    """Whether requests should be sent here, and if not, why."""

    status: Literal["ready", "not ready"]
    reasons: tuple[str, ...] = ()


def with_operations(endpoints: Iterable[Endpoint], services: Services) -> tuple[Endpoint, ...]:
    """The rooms' endpoints and ours. The description is made once, of all that is in it."""
    described = (*endpoints, _healthz(), _readyz(services), _metrics(services))
    document = openapi.document(described, services.version)
    page = docs.render(document, style=_STYLE)
    return (*described, *_description(msgspec.json.encode(document), page))


def _healthz() -> Endpoint:
    healthy = json_reply(Health())

    async def healthz(_: Request) -> Reply:
        return healthy

    return Endpoint(
        method="GET",
        path="/healthz",
        handler=healthz,
        express=True,
        keeps_its_own_time=True,
        tag=_TAG,
        operation_id="healthz",
        summary="Is the process alive?",
        description="It asks nobody else, so that an outage elsewhere does not get this process restarted.",
        answers={200: Answer(description="It is alive.", type=Health, example=Health())},
    )


def _readyz(services: Services) -> Endpoint:
    async def readyz(_: Request) -> Reply:
        reasons = tuple(services.readiness())
        if reasons:
            return json_reply(Readiness(status="not ready", reasons=reasons), status=503)
        return json_reply(Readiness(status="ready"))

    waiting = Readiness(status="not ready", reasons=("the database cannot be reached",))
    return Endpoint(
        method="GET",
        path="/readyz",
        handler=readyz,
        tag=_TAG,
        operation_id="readyz",
        summary="Should requests be sent here?",
        answers={
            200: Answer(description="Yes.", type=Readiness, example=Readiness(status="ready")),
            503: Answer(description="Not now, for these reasons.", type=Readiness, example=waiting),
        },
    )


def _metrics(services: Services) -> Endpoint:
    async def metrics(_: Request) -> Reply:
        return Reply(status=200, body=generate_latest(services.registry), content_type=_METRICS_TYPE)

    return Endpoint(
        method="GET",
        path="/metrics",
        handler=metrics,
        tag=_TAG,
        operation_id="metrics",
        summary="The metrics, in Prometheus' text format.",
        answers={200: Answer(description="All metrics of this process.", media_types=(_METRICS_TYPE,))},
        scope=Scope.METRICS,
    )


def _description(document: bytes, page: bytes) -> tuple[Endpoint, ...]:
    style = (Path(__file__).parent / "static" / "docs.css").read_bytes()
    policy = ("Content-Security-Policy", _DOCS_POLICY)
    html = Reply(status=200, body=page, content_type="text/html; charset=utf-8", headers=(policy,))
    return (
        _fixed("/openapi.json", "openapi", Reply(status=200, body=document, content_type="application/json")),
        _fixed(EXPLANATIONS, "docs", html),
        _fixed(_STYLE, "docsStyle", Reply(status=200, body=style, content_type="text/css; charset=utf-8")),
    )


def _fixed(path: str, operation_id: str, reply: Reply) -> Endpoint:
    return Endpoint(
        method="GET",
        path=path,
        handler=_always(reply),
        tag=_TAG,
        operation_id=operation_id,
        summary="This description.",
    )


def _always(reply: Reply) -> Handler:
    async def handler(_: Request) -> Reply:
        return reply

    return handler
