"""Errors on the wire: RFC 9457 problem documents, made from any exception in one place.

The kinds of error that only HTTP knows are here; all others come from `pulsekeeper.errors`.
"""

import math
import re
from typing import ClassVar
from urllib.parse import quote

import msgspec

from pulsekeeper.errors import Fault, Invalid, PulsekeeperError, Unauthorized
from pulsekeeper.web.wire import Header, Reply

CONTENT_TYPE = "application/problem+json"
EXPLANATIONS = "/docs"
"""The page with a paragraph on each kind of problem."""
_LONGEST_PATH = 128
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Problem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What every answer of 400 and above looks like."""

    type: str
    """Where this kind of problem is explained, relative to this server."""
    title: str
    status: int
    detail: str
    code: str = ""
    """The cause in a word for programs, where one status has several; left out elsewhere."""
    instance: str
    """The path that was asked for, cut when it is very long."""
    request_id: str
    """Finds the request in the log."""
    errors: tuple[Fault, ...] = ()
    """Everything that is wrong with the input, each with a JSON pointer."""


class HttpError(PulsekeeperError):
    """The base of the kinds that only make sense in HTTP. `headers` go out with the answer."""

    def __init__(self, detail: str, *, headers: tuple[Header, ...] = (), retry_after: float | None = None) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.headers = headers


class MethodNotAllowed(HttpError):
    """The path exists, but not for this method."""

    status: ClassVar[int] = 405
    title: ClassVar[str] = "Method not allowed"

    def __init__(self, allowed: tuple[str, ...]) -> None:
        allow = ", ".join(allowed)
        super().__init__(f"This path answers {allow}.", headers=(("Allow", allow),))


class RequestTimeout(HttpError):
    """The client took too long to send what it announced."""

    status = 408
    title = "Request timeout"


class PreconditionFailed(HttpError):
    """`If-Match` names a version that is no longer the current one."""

    status = 412
    title = "Precondition failed"


class PayloadTooLarge(HttpError):
    """The body is longer than this endpoint takes."""

    status = 413
    title = "Payload too large"

    def __init__(self, limit: int, of: str = "bytes") -> None:
        super().__init__(f"The body is longer than {limit} {of}.")


class UnsupportedMediaType(HttpError):
    """The body is in a format that this endpoint does not read."""

    status = 415
    title = "Unsupported media type"


class RateLimited(HttpError):
    """More calls than are allowed; `Retry-After` says when the next one will be."""

    status = 429
    title = "Too many requests"
    retryable: ClassVar[bool] = True


class HeaderFieldsTooLarge(HttpError):
    """The request's headers are longer than the server reads."""

    status = 431
    title = "Request header fields too large"


class InternalError(HttpError):
    """Something is wrong with the server itself. The answer tells nothing about the inside; the log does."""

    status = 500
    title = "Internal error"


def answer_of(error: Exception) -> PulsekeeperError:
    """The error itself when it is meant as an answer; otherwise the one sentence that a bug is allowed to say."""
    if isinstance(error, PulsekeeperError):
        return error
    return InternalError("Something went wrong on our side. The request id finds it in the log.")


def problem_reply(error: Exception, path: str, request_id: str) -> Reply:
    """The one table from exceptions to replies."""
    answer = answer_of(error)
    problem = Problem(
        type=f"{EXPLANATIONS}#{slug(type(answer))}",
        title=answer.title,
        status=answer.status,
        detail=answer.detail,
        code=answer.code,
        instance=quote(path[:_LONGEST_PATH], errors="replace"),
        request_id=request_id,
        errors=answer.faults if isinstance(answer, Invalid) else (),
    )
    body = msgspec.json.encode(problem)
    return Reply(status=answer.status, body=body, content_type=CONTENT_TYPE, headers=_headers(answer))


def _headers(error: PulsekeeperError) -> tuple[Header, ...]:
    headers = error.headers if isinstance(error, HttpError) else ()
    if isinstance(error, Unauthorized):
        headers = (*headers, ("WWW-Authenticate", "Bearer"))
    if error.retryable or error.retry_after is not None:
        headers = (*headers, ("Retry-After", str(max(1, math.ceil(error.retry_after or 0)))))
    return headers


def slug(kind: type[PulsekeeperError]) -> str:
    """The kind's name as the documentation's anchor: `PayloadTooLarge` is `payload-too-large`.

    A room's own refinement of a kind has no title and is explained with the kind that it refines.
    """
    titled = next(base for base in kind.__mro__ if "title" in vars(base))
    return _WORD.sub("-", titled.__name__).lower()
