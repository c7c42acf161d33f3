"""The API's description in OpenAPI 3.1, made from the Structs that decode requests, so that they cannot disagree."""

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, cast

import msgspec

from pulsekeeper.errors import Forbidden, Invalid, NotFound, PulsekeeperError, Unauthorized, Unavailable
from pulsekeeper.scalars import Duration
from pulsekeeper.validation import to_builtins
from pulsekeeper.web import problems
from pulsekeeper.web.endpoints import Answer, Endpoint, Parameter
from pulsekeeper.web.problems import Problem

Json: TypeAlias = dict[str, object]

_REFERENCE = "#/components/schemas/{name}"
_KEY = "apiKey"
_JSON = ("application/json",)
_ALWAYS_HEADERS = {"X-Request-ID": "Finds this request in the log; the client's own where it sent a usable one."}
_PROBLEM_HEADERS = {
    401: {"WWW-Authenticate": "`Bearer`."},
    429: {"Retry-After": "Seconds.", "RateLimit": "What is left.", "RateLimit-Policy": "What is allowed."},
    503: {"Retry-After": "Seconds."},
}


def document(endpoints: Iterable[Endpoint], version: str) -> Json:
    """The whole description, as the plain values of a JSON document."""
    described = tuple(endpoints)
    schemas, components = _schemas(described)
    paths: dict[str, Json] = {}
    for endpoint in described:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pulsekeeper",
            "version": version,
            "description": "Who is alive, what to show them, what is due.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                _KEY: {"type": "http", "scheme": "bearer", "description": "A key with the scope that is named."}
            },
        },
    }


def _schemas(endpoints: Sequence[Endpoint]) -> tuple[Mapping[int, Json], Json]:
    """A schema for each type that is named anywhere, by the type's `id`, and the components to which they refer."""
    types: list[object] = [Problem]
    for endpoint in endpoints:
        types += [
            endpoint.body,
            endpoint.body_line,
            *(one.type for one in endpoint.parameters),
            *(one.type for one in endpoint.answers.values()),
        ]
    named = list({id(one): one for one in types if one is not None}.values())
    schemas, components = msgspec.json.schema_components(named, schema_hook=_scalar_schema, ref_template=_REFERENCE)
    return {id(one): schema for one, schema in zip(named, schemas, strict=True)}, dict(components)


def _scalar_schema(kind: type) -> Json:
    if kind is Duration:
        return {"type": "string", "examples": ["80ms", "30s", "10m", "24h", "7d", "P1D"]}
    raise NotImplementedError(f"{kind.__name__} has no form on the wire")


def _operation(endpoint: Endpoint, schemas: Mapping[int, Json]) -> Json:
    operation: Json = {
        "operationId": endpoint.operation_id,
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "responses": {str(status): one for status, one in sorted(_responses(endpoint, schemas).items())},
    }
    if endpoint.description:
        operation["description"] = endpoint.description
    if endpoint.parameters or endpoint.path_names:
        operation["parameters"] = _parameters(endpoint, schemas)
    if endpoint.body is not None:
        operation["requestBody"] = {"required": endpoint.body_required, "content": _formats(endpoint, schemas)}
    if endpoint.scope is not None:
        operation["security"] = [{_KEY: [str(endpoint.scope)]}]
    return operation


def _formats(endpoint: Endpoint, schemas: Mapping[int, Json]) -> Json:
    """Of NDJSON the schema is that of a line: version 3.1 has no word for the whole."""
    formats = (*_JSON, "text/plain") if endpoint.public else _JSON
    whole: Json = dict.fromkeys(formats, _content(endpoint.body, endpoint.body_example, schemas))
    if endpoint.body_line is None:
        return whole
    return whole | {"application/x-ndjson": _content(endpoint.body_line, None, schemas)}


def _parameters(endpoint: Endpoint, schemas: Mapping[int, Json]) -> list[Json]:
    documented = {one.name: one for one in endpoint.parameters}
    in_path = [documented.get(name, Parameter(name=name, description="")) for name in endpoint.path_names]
    in_query = [one for one in endpoint.parameters if one.name not in endpoint.path_names]
    return [_parameter(one, "path", schemas) for one in in_path] + [
        _parameter(one, "query", schemas) for one in in_query
    ]


def _parameter(parameter: Parameter, place: str, schemas: Mapping[int, Json]) -> Json:
    described: Json = {
        "name": parameter.name,
        "in": place,
        "required": parameter.required or place == "path",
        "description": parameter.description,
        "schema": schemas.get(id(parameter.type), {"type": "string"}),
    }
    return described if parameter.example is None else {**described, "example": to_builtins(parameter.example)}


def _responses(endpoint: Endpoint, schemas: Mapping[int, Json]) -> dict[int, Json]:
    answers = {status: _answer(one, schemas) for status, one in endpoint.answers.items()}
    refusals = {one.status: _problem(one, endpoint.codes.get(one.status, ()), schemas) for one in _errors(endpoint)}
    return refusals | {status: _merged(one, refusals.get(status, {})) for status, one in answers.items()}


def _merged(answer: Json, problem: Json) -> Json:
    """Where a handler answers with the status of a problem, the format tells them apart."""
    contents = [cast(Json, one["content"]) for one in (answer, problem) if "content" in one]
    return {**answer, "content": dict(ChainMap(*contents))} if contents else answer


def _answer(answer: Answer, schemas: Mapping[int, Json]) -> Json:
    described: Json = {"description": answer.description, "headers": _headers({**_ALWAYS_HEADERS, **answer.headers})}
    if answer.type is not None:
        described["content"] = dict.fromkeys(answer.media_types, _content(answer.type, answer.example, schemas))
    elif answer.media_types != _JSON:
        described["content"] = {one: {"schema": _raw_schema(one)} for one in answer.media_types}
    return described


def _raw_schema(media_type: str) -> Json:
    """Text is a string; other bytes are nothing that a schema could describe."""
    return {"type": "string"} if media_type.startswith("text/") else {}


def _errors(endpoint: Endpoint) -> list[type[PulsekeeperError]]:
    """What the handler may raise, and what the web itself may answer in its place."""
    kinds: list[type[PulsekeeperError]] = [Invalid, problems.InternalError, Unavailable, *endpoint.errors]
    if endpoint.takes_body:
        kinds += [problems.RequestTimeout, problems.PayloadTooLarge]
    if endpoint.body is not None:
        kinds += [problems.UnsupportedMediaType]
    if endpoint.scope is not None:
        kinds += [Unauthorized, Forbidden]
    return kinds + ([NotFound] if endpoint.path_names else [])


def _problem(kind: type[PulsekeeperError], codes: Sequence[str], schemas: Mapping[int, Json]) -> Json:
    example = Problem(
        type=f"{problems.EXPLANATIONS}#{problems.slug(kind)}",
        title=kind.title,
        status=kind.status,
        detail="A sentence on what is wrong.",
        code=next(iter(codes), ""),
        instance="/the/path",
        request_id="019a6c7e2f007b3c8d5e4f6a7b8c9d0e",
    )
    content = _content(Problem, example, schemas)
    return {
        "description": f"{kind.title}.{_among(codes)}",
        "headers": _headers({**_ALWAYS_HEADERS, **_PROBLEM_HEADERS.get(kind.status, {})}),
        "content": {problems.CONTENT_TYPE: content},
    }


def _among(codes: Sequence[str]) -> str:
    return f" `code` is {' or '.join(f'`{code}`' for code in codes)}." if codes else ""


def _headers(described: Mapping[str, str]) -> Json:
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in described.items()}


def _content(kind: object, example: object, schemas: Mapping[int, Json]) -> Json:
    content: Json = {"schema": schemas[id(kind)]}
    return content if example is None else {**content, "example": to_builtins(example)}
