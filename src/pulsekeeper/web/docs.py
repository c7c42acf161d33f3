"""The API's description as a page for people: rendered on the server, without scripts and without any other host."""

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pulsekeeper import errors
from pulsekeeper.web import problems
from pulsekeeper.web.openapi import Json


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation, as the page shows it."""

    method: str
    path: str
    described: Mapping[str, object]
    curl: str


def render(document: Json, style: str) -> bytes:
    """The page as UTF-8. `style` is the path of its stylesheet."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False)
    page = environment.get_template("docs.html").render(
        document=document, operations=_operations(document), problems=_explanations(), style=style
    )
    return page.encode()


def _operations(document: Json) -> Sequence[Operation]:
    paths = msgspec.convert(document["paths"], dict[str, dict[str, dict[str, object]]])
    return [
        Operation(method=method.upper(), path=path, described=operation, curl=_curl(method.upper(), path, operation))
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]


def _curl(method: str, path: str, operation: Mapping[str, object]) -> str:
    """A line for a shell. `$URL` and `$KEY` are left to the reader."""
    parts = ["curl"] + ([f"-X {method}"] if method != "GET" else [])
    if "security" in operation:
        parts.append('-H "Authorization: Bearer $KEY"')
    example = _body_example(operation)
    if example is not None:
        document = json.dumps(example, ensure_ascii=False).replace("'", "'\\''")
        parts += ["-H 'Content-Type: application/json'", f"-d '{document}'"]
    return " ".join([*parts, f'"$URL{path}"'])


class _MediaType(msgspec.Struct, frozen=True):
    example: object = None


class _Body(msgspec.Struct, frozen=True):
    content: dict[str, _MediaType] = {}


def _body_example(operation: Mapping[str, object]) -> object:
    body = msgspec.convert(operation.get("requestBody", {}), _Body)
    return body.content.get("application/json", _MediaType()).example


def _explanations() -> Sequence[tuple[str, int, str, str]]:
    """Anchor, status, title and a sentence for each kind of problem, by status."""
    kinds = [kind for module in (errors, problems) for kind in vars(module).values() if _is_kind(kind)]
    return sorted(
        {(problems.slug(kind), kind.status, kind.title, inspect.getdoc(kind) or "") for kind in kinds},
        key=lambda one: one[1:],
    )


def _is_kind(candidate: object) -> bool:
    is_error = isinstance(candidate, type) and issubclass(candidate, errors.PulsekeeperError)
    return is_error and candidate not in {errors.PulsekeeperError, problems.HttpError}
