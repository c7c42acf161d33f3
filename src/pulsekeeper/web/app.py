"""The rooms' endpoints as one Quart application. All that is decided here is how Quart's view of HTTP becomes ours."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, cast

from hypercorn.typing import HTTPScope
from quart import Blueprint, Response, current_app, request
from quart.routing import QuartRule
from quart.wrappers.base import BaseRequestWebsocket
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.exceptions import MethodNotAllowed as NoSuchMethod
from werkzeug.routing import MapAdapter

from pulsekeeper.errors import Invalid, NotFound
from pulsekeeper.web import headers, operations
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.exchange import Exchange, StreamBody, asked_path
from pulsekeeper.web.express import Lane
from pulsekeeper.web.gate import Gate, Services
from pulsekeeper.web.problems import HeaderFieldsTooLarge, MethodNotAllowed, PayloadTooLarge, RequestTimeout
from pulsekeeper.web.settings import Settings
from pulsekeeper.web.uploads import Upload, Uploads
from pulsekeeper.web.wire import Headers, Reply, Request

View = Callable[..., Awaitable[Response]]

_MALFORMED = Invalid("This is not a well-formed HTTP request.")
_UNREADABLE = {
    408: RequestTimeout("The request did not arrive in time."),
    431: HeaderFieldsTooLarge("The request's headers are longer than 16 KiB."),
}


class Rule(QuartRule):
    """One route. Werkzeug has every `GET` answer `HEAD` as well; this one need not."""

    def __init__(self, string: str, *, safe: bool, **options: Any) -> None:
        super().__init__(string, **options)
        if self.methods is not None and not safe:
            self.methods.discard("HEAD")


class App(QuartTrio):
    """Quart, routing by path alone: the `Host` header has no say, and a path is taken as it stands."""

    asgi_http_class = Exchange
    url_rule_class: type[Rule] = Rule

    def __init__(self, gate: Gate, services: Services, endpoints: Sequence[Endpoint]) -> None:
        super().__init__(__name__, static_folder=None, template_folder=None)
        self.uploads = Uploads()
        self.lane = Lane(endpoints, gate, services.clock)
        """For whoever has the connection: the requests that need not come here."""
        self._gate = gate

    def refuse(self, status: int) -> Reply:
        """The reply to what is not even a request, such as headers that never end; `status` is 400, 408 or 431."""
        unread = Request(method="", path="", request_id=headers.request_id(None))
        return self._gate.refuse(unread, _UNREADABLE.get(status, _MALFORMED))

    def create_url_adapter(self, request: BaseRequestWebsocket | None) -> MapAdapter | None:
        """Quart's hook: what the router looks at."""
        if request is None:
            return None
        return self.url_map.bind("localhost", path_info=request.path, default_method=request.method)


def create_app(endpoints: Iterable[Endpoint], settings: Settings, services: Services) -> App:
    """The application that answers the `endpoints`, and `/healthz`, `/readyz`, `/metrics`, `/openapi.json` and `/docs`.

    Raises `ValueError` when two endpoints claim the same method of the same path.
    """
    gate = Gate(settings, services)
    everything = operations.with_operations(endpoints, services)
    _check_distinct(everything)
    app = App(gate, services, everything)
    longest_body = max(endpoint.max_body for endpoint in everything)
    app.config.update(
        MAX_CONTENT_LENGTH=longest_body,  # each endpoint's own limit is kept when it reads
        BODY_TIMEOUT=None,  # the gate's
        RESPONSE_TIMEOUT=None,  # the connection's
        PROPAGATE_EXCEPTIONS=False,
    )
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True
    for tag, group in groupby(sorted(everything, key=attrgetter("tag")), key=attrgetter("tag")):
        app.register_blueprint(_blueprint(tag, tuple(group), gate))
    for path, methods in _methods_by_path(everything).items():
        _add(app, _options(path, methods, gate), gate)
    app.register_error_handler(Exception, _refuser(gate))
    return app


def _check_distinct(endpoints: Sequence[Endpoint]) -> None:
    taken: set[tuple[str, str]] = set()
    for endpoint in endpoints:
        if (endpoint.method, endpoint.path) in taken:
            raise ValueError(f"two endpoints claim {endpoint.method} {endpoint.path}")
        taken.add((endpoint.method, endpoint.path))


def _blueprint(tag: str, endpoints: Sequence[Endpoint], gate: Gate) -> Blueprint:
    blueprint = Blueprint(tag, __name__)
    for endpoint in endpoints:
        _add(blueprint, endpoint, gate)
    return blueprint


def _add(to: App | Blueprint, endpoint: Endpoint, gate: Gate) -> None:
    rule = endpoint.path.replace("{", "<").replace("}", ">")
    name = f"{endpoint.operation_id}:{endpoint.method}:{endpoint.path}".replace(".", "_")
    view = _view(endpoint, gate)
    methods = [endpoint.method]
    to.add_url_rule(rule, name, view, methods=methods, provide_automatic_options=False, safe=endpoint.safe)


def _view(endpoint: Endpoint, gate: Gate) -> View:
    async def view(**path_params: str) -> Response:
        incoming = _incoming(path_params)
        return _outgoing(await gate.answer(endpoint, incoming, _read_body))

    return view


def _refuser(gate: Gate) -> Callable[[Exception], Awaitable[Response]]:
    async def refuse(error: Exception) -> Response:
        return _outgoing(gate.refuse(_incoming({}), _translate(error)))

    return refuse


def _translate(error: Exception) -> Exception:
    """What the router says, in our words. It redirects nothing here, so the rest is that there is no such route."""
    if isinstance(error, NoSuchMethod):
        return MethodNotAllowed(tuple(sorted(error.valid_methods or ())))
    return NotFound("There is nothing at this address.") if isinstance(error, HTTPException) else error


def _incoming(path_params: Mapping[str, str]) -> Request:
    scope = cast(HTTPScope, request.scope)  # websockets never get here
    raw = Headers(list(scope["headers"]))
    peer = scope.get("client")
    return Request(
        method=request.method,
        path=asked_path(scope),
        path_params=path_params,
        query_string=scope["query_string"],
        headers=raw,
        peer=peer[0] if peer else "",
        request_id=headers.request_id(raw.get("x-request-id")),
    )


async def _read_body(limit: int) -> bytes:
    body = bytearray()
    try:
        with Upload(cast(App, current_app).uploads) as upload:
            async for chunk in request.body:
                body += chunk
                if len(body) > limit:
                    raise PayloadTooLarge(limit)
                upload.grown_to(len(body))
    except RequestEntityTooLarge:
        raise PayloadTooLarge(limit) from None
    return bytes(body)


def _outgoing(reply: Reply) -> Response:
    """A `HEAD` gets the length of what a `GET` would have got, if that is known, and nothing of it."""
    is_head, is_stream = request.method == "HEAD", reply.stream is not None
    response = Response(b"" if is_head else _body(reply), reply.status, content_type=reply.content_type)
    if reply.content_type is None:
        response.headers.remove("Content-Type")
    if reply.status in {204, 304} or is_stream:
        response.headers.remove("Content-Length")  # RFC 9110: there must be none, or that of what was not sent
    elif is_head:
        response.headers["Content-Length"] = str(len(reply.body))
    response.headers.extend(list(reply.headers))
    return response


def _body(reply: Reply) -> bytes | StreamBody:
    return reply.body if reply.stream is None else StreamBody(reply.stream)


def _methods_by_path(endpoints: Iterable[Endpoint]) -> Mapping[str, Sequence[Endpoint]]:
    found: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        found.setdefault(endpoint.path, []).append(endpoint)
    return found


def _options(path: str, endpoints: Sequence[Endpoint], gate: Gate) -> Endpoint:
    methods: set[str] = {endpoint.method for endpoint in endpoints} | {"OPTIONS"}
    if any(endpoint.method == "GET" and endpoint.safe for endpoint in endpoints):
        methods.add("HEAD")
    allow = ", ".join(sorted(methods))
    public = sorted(endpoint.method for endpoint in endpoints if endpoint.public)

    async def options(incoming: Request) -> Reply:
        return Reply(status=204, headers=(("Allow", allow), *gate.headers.preflight(incoming, public)))

    return Endpoint(
        method="OPTIONS",
        path=path,
        handler=options,
        tag="operations",
        operation_id="options",
        summary="What this path answers.",
        public=bool(public),
    )
