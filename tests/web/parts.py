"""Small real endpoints, and stand-ins for what the composition root hands to the web."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from prometheus_client import CollectorRegistry

from pulsekeeper.errors import Unauthorized
from pulsekeeper.scalars import Duration
from pulsekeeper.web.app import App, create_app
from pulsekeeper.web.bodies import decode, decode_public
from pulsekeeper.web.endpoints import Answer, Endpoint, Method
from pulsekeeper.web.gate import Services
from pulsekeeper.web.identity import Scope
from pulsekeeper.web.settings import Settings
from pulsekeeper.web.wire import Handler, Reply, Request, json_reply, no_content

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Greeting(msgspec.Struct, frozen=True, rename="camel"):
    """What a test sends."""

    first_name: str
    times: int = 1


class Echo(msgspec.Struct, frozen=True, rename="camel"):
    """What a test gets back."""

    first_name: str
    said_at: datetime


class Keys:
    """Knows one key for each scope: its name."""

    async def authenticate(self, token: str) -> Scope:
        """As an authenticator does."""
        if token not in set(Scope):
            raise Unauthorized("Nobody knows this key.")
        return Scope(token)


async def greet(request: Request) -> Reply:
    """A public handler."""
    return json_reply(Echo(decode_public(request, Greeting).first_name, NOON))


async def change(request: Request) -> Reply:
    """An operator's handler."""
    decode(request, Greeting)
    return no_content()


async def show(request: Request) -> Reply:
    """Says what it was asked for."""
    return json_reply({"id": request.path_params["id"], "page": request.first("page")})


async def fail(_: Request) -> Reply:
    """Has a bug."""
    raise RuntimeError("the handler's secret is 4711")


def endpoint(
    handler: Handler,
    path: str = "/api/test",
    method: Method = "GET",
    *,
    scope: Scope | None = None,
    public: bool = False,
    body: object = None,
    max_body: int = 16 * 1024,
) -> Endpoint:
    """An endpoint that answers 200 with anything."""
    return Endpoint(
        method=method,
        path=path,
        handler=handler,
        tag="test",
        operation_id=f"{method}{path}",
        summary="A test.",
        answers={200: Answer(description="Fine.", type=Echo, example=Echo("Ada", NOON))},
        scope=scope,
        public=public,
        body=body,
        max_body=max_body,
    )


GREET = endpoint(greet, "/api/greet", "POST", public=True, body=Greeting)
CHANGE = endpoint(change, "/api/things", "PUT", scope=Scope.ADMIN, body=Greeting)
SHOW = endpoint(show, "/api/things/{id}")
FAIL = endpoint(fail, "/api/fail")


def services(readiness: Callable[[], tuple[str, ...]] = tuple, registry: CollectorRegistry | None = None) -> Services:
    """What the composition root would hand in."""
    return Services(
        authenticator=Keys(),
        readiness=readiness,
        registry=registry or CollectorRegistry(),
        clock=lambda: NOON,
        version="1.2.3",
    )


def app_of(*endpoints: Endpoint, settings: Settings | None = None, given: Services | None = None) -> App:
    """The application with these endpoints, or with all of the above."""
    return create_app(endpoints or (GREET, CHANGE, SHOW, FAIL), settings or Settings(), given or services())


def seconds(number: float) -> Duration:
    """A duration of so many seconds."""
    return Duration(seconds=number)
