"""The description of the API, for machines and for people."""

import re
from typing import Annotated

import msgspec
import pytest

from pulsekeeper.errors import Forbidden
from pulsekeeper.scalars import Duration
from pulsekeeper.web import docs, openapi
from pulsekeeper.web.endpoints import Answer, Parameter
from pulsekeeper.web.identity import Scope
from pulsekeeper.web.problems import RateLimited
from tests.web.parts import CHANGE, GREET, SHOW, Echo, Greeting, app_of, endpoint, fail


def at(document: object, *keys: str) -> object:
    """What stands at a place in the document."""
    for key in keys:
        assert isinstance(document, dict)
        document = document[key]
    return document


def entries(document: object) -> dict[str, object]:
    """What stands there, by its key."""
    return msgspec.convert(document, dict[str, object])


def test_every_endpoint_has_its_operation_and_its_struct() -> None:
    document = openapi.document([GREET, CHANGE, SHOW], "1.2.3")
    assert at(document, "info", "version") == "1.2.3"
    body = at(document, "paths", "/api/greet", "post", "requestBody", "content", "application/json", "schema")
    assert body == {"$ref": "#/components/schemas/Greeting"}
    assert at(document, "components", "schemas", "Greeting", "required") == ["firstName"]


@pytest.mark.parametrize(
    ("path", "method", "statuses"),
    [
        ("/api/greet", "post", {"200", "400", "408", "413", "415", "500", "503"}),
        ("/api/things", "put", {"200", "400", "401", "403", "408", "413", "415", "500", "503"}),
        ("/api/things/{id}", "get", {"200", "400", "404", "500", "503"}),
    ],
)
def test_every_status_is_described(path: str, method: str, statuses: set[str]) -> None:
    responses = at(openapi.document([GREET, CHANGE, SHOW], "1"), "paths", path, method, "responses")
    assert isinstance(responses, dict)
    assert set(responses) == statuses


def test_what_a_handler_raises_is_described_with_its_headers() -> None:
    limited = msgspec.structs.replace(GREET, errors=(RateLimited,))
    response = at(openapi.document([limited], "1"), "paths", "/api/greet", "post", "responses", "429")
    assert at(response, "content", "application/problem+json", "example", "type") == "/docs#rate-limited"
    assert {"Retry-After", "RateLimit", "RateLimit-Policy"} <= set(entries(at(response, "headers")))


def test_the_words_for_programs_are_described() -> None:
    coded = msgspec.structs.replace(GREET, errors=(Forbidden,), codes={403: ("consent_required", "consent_withdrawn")})
    response = at(openapi.document([coded], "1"), "paths", "/api/greet", "post", "responses", "403")
    assert at(response, "description") == "Forbidden. `code` is `consent_required` or `consent_withdrawn`."
    assert at(response, "content", "application/problem+json", "example", "code") == "consent_required"


def test_the_formats_of_a_body_and_whether_it_is_needed_are_described() -> None:
    """Lines have a schema of their own: each of them is a document."""
    lines = msgspec.structs.replace(GREET, body_required=False, body_line=Echo)
    body = at(openapi.document([lines], "1"), "paths", "/api/greet", "post", "requestBody")
    schemas = {media_type: at(one, "schema") for media_type, one in entries(at(body, "content")).items()}
    assert at(body, "required") is False
    assert schemas == {
        "application/json": {"$ref": "#/components/schemas/Greeting"},
        "text/plain": {"$ref": "#/components/schemas/Greeting"},
        "application/x-ndjson": {"$ref": "#/components/schemas/Echo"},
    }


def test_an_answer_may_come_in_several_formats() -> None:
    """As a file, say: what is text is called so, and of other bytes nothing is said."""
    file = Answer(description="The file.", media_types=("text/csv", "application/vnd.apache.parquet"))
    exporting = msgspec.structs.replace(SHOW, answers={200: file})
    response = at(openapi.document([exporting], "1"), "paths", "/api/things/{id}", "get", "responses", "200")
    assert at(response, "content") == {
        "text/csv": {"schema": {"type": "string"}},
        "application/vnd.apache.parquet": {"schema": {}},
    }


def test_a_status_may_be_an_answer_and_a_problem() -> None:
    refusing = msgspec.structs.replace(GREET, answers={400: Answer(description="None of it.", type=Echo)})
    response = at(openapi.document([refusing], "1"), "paths", "/api/greet", "post", "responses", "400")
    assert at(response, "description") == "None of it."
    assert set(entries(at(response, "content"))) == {"application/json", "application/problem+json"}


def test_parameters_keys_and_examples_are_described() -> None:
    count = Parameter(name="count", description="How many.", type=Annotated[int, msgspec.Meta(ge=1)], example=3)
    wait = Parameter(name="wait", description="How long.", type=Duration)
    described = msgspec.structs.replace(SHOW, parameters=(count, wait), scope=Scope.WORKER)
    operation = at(openapi.document([described], "1"), "paths", "/api/things/{id}", "get")
    parameters = at(operation, "parameters")
    assert isinstance(parameters, list)
    assert [(one["name"], one["in"], one["required"], one["schema"]["type"]) for one in parameters] == [
        ("id", "path", True, "string"),
        ("count", "query", False, "integer"),
        ("wait", "query", False, "string"),
    ]
    assert at(operation, "security") == [{"apiKey": ["worker"]}]
    assert at(operation, "responses", "200", "content", "application/json", "example") == {
        "firstName": "Ada",
        "saidAt": "2026-03-01T12:00:00Z",
    }


async def test_the_document_is_served() -> None:
    response = await app_of().test_client().get("/openapi.json")
    assert response.headers["Content-Type"] == "application/json"
    assert {"/api/greet", "/healthz", "/readyz", "/metrics"} <= set((await response.get_json())["paths"])


async def test_the_page_needs_no_other_host_and_no_script() -> None:
    client = app_of().test_client()
    response = await client.get("/docs")
    page = str(await response.get_data(as_text=True))
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    assert "<script" not in page
    assert " style=" not in page
    (style,) = re.findall(r'rel="stylesheet" href="([^"]+)"', page)
    assert (await client.get(style)).headers["Content-Type"] == "text/css; charset=utf-8"


async def test_a_problems_type_leads_to_its_explanation() -> None:
    client = app_of().test_client()
    page = str(await (await client.get("/docs")).get_data(as_text=True))
    for path in ("/nothing", "/api/fail", "/metrics"):
        kind = (await (await client.get(path)).get_json())["type"]
        assert kind.startswith("/docs#")
        assert f'id="{kind.removeprefix("/docs#")}"' in page


def test_what_rooms_write_is_escaped_on_the_page() -> None:
    tricky = msgspec.structs.replace(endpoint(fail), summary="<img src=x>", description="a & b")
    page = docs.render(openapi.document([tricky], "1"), style="/s.css").decode()
    assert "&lt;img src=x&gt;" in page
    assert "<img" not in page


def test_the_shell_line_quotes_its_example() -> None:
    quoted = msgspec.structs.replace(GREET, body_example=Greeting("O'Hara"))
    page = docs.render(openapi.document([quoted], "1"), style="/s.css").decode()
    assert "O&#39;\\&#39;&#39;Hara" in page
