"""Making a request over HTTP. Whatever goes wrong on the way is no answer, and nothing else.

The only file that knows httpx. It takes a fifth of a second to import, so the drivers do that beside the program.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from time import monotonic
from typing import Protocol

import anyio
import httpx

from pulsekeeper.client.model import Answer, Request

LONGEST_REQUEST = 10.0
"""Seconds that a request may take altogether."""
LONGEST_ANSWER = 1_048_576
"""Bytes. The service's own are far shorter; a portal's page is of no interest."""

_HEADERS = {
    "Accept": "application/json, application/problem+json",
    "Accept-Encoding": "identity",  # nothing that grows while it is unpacked
    "User-Agent": "pulsekeeper-client",
}
_NO_ANSWER = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError, RuntimeError)
"""`ValueError`: an address or a header that cannot be; `RuntimeError`: the interpreter is shutting down."""


class Sender(Protocol):
    """Makes requests for a thread."""

    def send(self, request: Request) -> Answer | None:
        """What came back, if anything did."""


class AsyncSender(Protocol):
    """Makes requests for a task."""

    async def send(self, request: Request) -> Answer | None:
        """What came back, if anything did."""


class HttpSender:
    """Over one connection that is kept."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def send(self, request: Request) -> Answer | None:
        """What came back, if anything did. Each step has its time, and all pieces together have."""
        deadline = monotonic() + LONGEST_REQUEST
        try:
            with self._client.stream(
                "POST", request.url, content=request.body, headers=dict(request.headers)
            ) as response:
                return _answer(response, _body(response, deadline))
        except _NO_ANSWER:
            return None


class AsyncHttpSender:
    """The same for trio and asyncio."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def send(self, request: Request) -> Answer | None:
        """What came back within the time, if anything did."""
        answer = None
        with anyio.move_on_after(LONGEST_REQUEST):
            try:
                async with self._client.stream(
                    "POST", request.url, content=request.body, headers=dict(request.headers)
                ) as response:
                    answer = _answer(response, await _body_async(response))
            except _NO_ANSWER:
                return None
        return answer


@contextmanager
def http_sender() -> Iterator[Sender]:
    """Proxies are those of the environment. Nobody is followed to another address with what is sent."""
    with httpx.Client(headers=_HEADERS, timeout=LONGEST_REQUEST, follow_redirects=False) as client:
        yield HttpSender(client)


@asynccontextmanager
async def async_http_sender() -> AsyncIterator[AsyncSender]:
    """The same for trio and asyncio."""
    async with httpx.AsyncClient(headers=_HEADERS, timeout=LONGEST_REQUEST, follow_redirects=False) as client:
        yield AsyncHttpSender(client)


def _answer(response: httpx.Response, body: bytes | None) -> Answer | None:
    if body is None:
        return None
    headers = response.headers
    return Answer(
        status=response.status_code,
        body=body,
        content_type=headers.get("content-type", ""),
        retry_after=headers.get("retry-after"),
    )


def _body(response: httpx.Response, deadline: float) -> bytes | None:
    body = bytearray()
    for piece in response.iter_raw():
        body += piece
        if len(body) > LONGEST_ANSWER or monotonic() > deadline:
            return None
    return bytes(body)


async def _body_async(response: httpx.Response) -> bytes | None:
    """Too much ends the reading from inside, for httpx leaves its generators open otherwise."""
    body = bytearray()
    with anyio.CancelScope() as enough:
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > LONGEST_ANSWER:
                enough.cancel()
    return None if len(body) > LONGEST_ANSWER else bytes(body)
