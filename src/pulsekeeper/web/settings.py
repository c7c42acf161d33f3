"""Everything about the front door that an operator may change."""

import re
from ipaddress import ip_network
from typing import Annotated, Literal

import msgspec

from pulsekeeper.scalars import Duration

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `[web]`. Raises `ValueError` for an address, network or origin that cannot be one."""

    bind: str = "127.0.0.1:8000"
    """Address and port to listen on, `host:port` or `[ipv6]:port`; port 0 takes any free one."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks (CIDR) of the reverse proxies whose `X-Forwarded-For` is believed; nobody else's is."""
    cors_origins: tuple[str, ...] = ()
    """Sites whose pages may call the public endpoints, as `https://example.org`; `*` admits every site."""
    max_connections: Annotated[int, msgspec.Meta(ge=1)] = 1000
    """Connections served at once; further ones wait in the system's queue until one closes."""
    request_timeout: Duration = Duration(seconds=30)
    """How long a client may take to send its headers, how long for the body, and how long to take in an answer."""
    answer_timeout: Duration = Duration(seconds=30)
    """How long a handler may work on an answer before the client is told to come back later (503)."""
    keep_alive_timeout: Duration = Duration(seconds=75)
    """How long an idle connection is kept; longer than the proxy in front keeps its own."""
    drain_delay: Duration = Duration(0)
    """On shutdown, how long `/readyz` says no before the listener closes, so that load balancers notice first."""
    graceful_timeout: Duration = Duration(seconds=10)
    """On shutdown, how long requests in flight may take to finish."""
    hsts: Duration = Duration(0)
    """The max-age of Strict-Transport-Security; 0 leaves it out. Only for sites that are served by TLS alone."""
    certfile: str = ""
    """PEM file with the TLS certificate chain; empty serves plain HTTP."""
    keyfile: str = ""
    """PEM file with the certificate's private key."""
    access_log: Literal["off", "debug", "info"] = "info"
    """At which level one line per request is logged; never with an address or a query string."""

    def __post_init__(self) -> None:
        parse_bind(self.bind)
        for network in self.trusted_proxies:
            ip_network(network, strict=False)
        for origin in self.cors_origins:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"expected an origin such as 'https://example.org' without a path, got {origin[:64]!r}"
                )
        if bool(self.certfile) != bool(self.keyfile):
            raise ValueError("certfile and keyfile are given together or not at all")


def parse_bind(text: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[ipv6]:port`. Raises `ValueError` with a sentence when it is neither."""
    host, colon, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"expected an address such as '127.0.0.1:8000' or '[::1]:8000', got {text[:64]!r}")
    return host, int(port)
