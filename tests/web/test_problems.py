"""Errors on the wire."""

import msgspec
import pytest

from pulsekeeper import errors
from pulsekeeper.web import problems
from pulsekeeper.web.problems import Problem, problem_reply, slug


class Refined(errors.Overloaded):
    """A room's own kind."""


def test_a_problem_document_has_all_its_members() -> None:
    error = errors.Invalid(
        "Two things are wrong.", [errors.Fault("/a", "too short"), errors.Fault("/b/0", "not a number")]
    )
    reply = problem_reply(error, "/api/x y", "id-1")
    assert reply.content_type == "application/problem+json"
    assert msgspec.json.decode(reply.body) == {
        "type": "/docs#invalid",
        "title": "Invalid input",
        "status": 400,
        "detail": "Two things are wrong.",
        "instance": "/api/x%20y",
        "requestId": "id-1",
        "errors": [{"pointer": "/a", "detail": "too short"}, {"pointer": "/b/0", "detail": "not a number"}],
    }


def test_a_cause_in_a_word_stands_beside_the_sentence() -> None:
    reply = problem_reply(errors.Conflict("The session is over.", code="session_ended"), "/", "id")
    assert msgspec.json.decode(reply.body, type=Problem).code == "session_ended"


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (errors.Unauthorized("x"), 401, {"WWW-Authenticate": "Bearer"}),
        (errors.Forbidden("x"), 403, {}),
        (errors.NotFound("x"), 404, {}),
        (problems.MethodNotAllowed(("GET", "HEAD")), 405, {"Allow": "GET, HEAD"}),
        (problems.RequestTimeout("x"), 408, {}),
        (errors.Conflict("x"), 409, {}),
        (problems.PreconditionFailed("x"), 412, {}),
        (problems.PayloadTooLarge(5), 413, {}),
        (problems.UnsupportedMediaType("x"), 415, {}),
        (
            problems.RateLimited("x", headers=(("RateLimit", "y"),), retry_after=2.1),
            429,
            {"RateLimit": "y", "Retry-After": "3"},
        ),
        (problems.HeaderFieldsTooLarge("x"), 431, {}),
        (errors.Overloaded("x", retry_after=0.01), 503, {"Retry-After": "1"}),
        (errors.Unavailable("x"), 503, {"Retry-After": "1"}),
        (Refined("x"), 503, {"Retry-After": "1"}),
        (RuntimeError("the secret is 4711"), 500, {}),
    ],
)
def test_each_kind_has_its_status_and_headers(error: Exception, status: int, headers: dict[str, str]) -> None:
    reply = problem_reply(error, "/", "id")
    assert (reply.status, dict(reply.headers)) == (status, headers)
    assert msgspec.json.decode(reply.body, type=Problem).status == status
    assert b"4711" not in reply.body


def test_a_rooms_refinement_is_explained_with_its_kind() -> None:
    assert slug(Refined) == "overloaded"


def test_a_long_or_broken_path_is_echoed_short_and_safe() -> None:
    reply = problem_reply(errors.NotFound("x"), "/<script>\udcff" + "a" * 1000, "id")
    instance = msgspec.json.decode(reply.body, type=Problem).instance
    assert instance.startswith("/%3Cscript%3E")
    assert len(instance) < 200
