"""Fetching what an issuer publishes. What comes back is bounded, and is either what was asked for or an outage."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import trio

from pulsekeeper.access.jwks import KeySet, parse_jwks_url, parse_key_set
from pulsekeeper.access.model import IssuerSettings
from pulsekeeper.errors import Unavailable

LONGEST_DOCUMENT = 262_144
"""Bytes."""

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # nothing to unpack, so nothing that grows while it is unpacked
    "User-Agent": "pulsekeeper",
}


@asynccontextmanager
async def open_client() -> AsyncIterator[httpx.AsyncClient]:
    """A client for issuers: it follows no redirects and keeps no connections. Proxies are those of the environment."""
    async with httpx.AsyncClient(
        headers=_HEADERS,
        timeout=None,  # noqa: S113  # the caller's cancel scope is the deadline
        follow_redirects=False,
        limits=httpx.Limits(max_keepalive_connections=0),
    ) as client:
        yield client


async def fetch_keys(client: httpx.AsyncClient, issuer: IssuerSettings) -> KeySet:
    """The keys that an issuer has published. Raises `Unavailable`, for whatever reason there is none to be had."""
    url = issuer.jwks_url or parse_jwks_url(await _get(client, issuer.discovery_url), issuer.issuer)
    return parse_key_set(await _get(client, url))


async def _get(client: httpx.AsyncClient, url: str) -> bytes:
    try:
        async with client.stream("GET", url) as response:
            if response.status_code != httpx.codes.OK:
                raise Unavailable(f"{url} answered {response.status_code}")
            return await _body(response, url)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise Unavailable(f"{url} cannot be fetched: {str(error) or type(error).__name__}") from None


async def _body(response: httpx.Response, url: str) -> bytes:
    """Bytes as they come. Too many end the reading from inside, for httpx leaves its generators open otherwise."""
    body = bytearray()
    with trio.CancelScope() as enough:
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > LONGEST_DOCUMENT:
                enough.cancel()
    if len(body) > LONGEST_DOCUMENT:
        raise Unavailable(f"{url} answered with more than {LONGEST_DOCUMENT} bytes")
    return bytes(body)
