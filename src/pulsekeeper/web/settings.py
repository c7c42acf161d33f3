"""Everything about the front door that an operator may change."""

import re
from ipaddress import ip_network
from typing import Annotated, ClassVar, Literal, Self

import msgspec

from pulsekeeper.errors import Clash, Contradiction
from pulsekeeper.scalars import Duration

_ORIGIN = re.compile(r"(?P<site>https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]))(?::(?P<port>[0-9]{1,5}))?")
_LAST_PORT = 65535


class Bind(str):
    """The address and port that are listened on: `127.0.0.1:8000`, `[::1]:8000` or `name:8000`."""

    __slots__ = ()
    EXPECTED: ClassVar[str] = "an address such as '127.0.0.1:8000' or '[::1]:8000'"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `ValueError` with a sentence for what is none."""
        host, colon, port = text.rpartition(":")
        is_port = port.isascii() and port.isdigit() and int(port[:6]) <= _LAST_PORT
        if not (colon and host and is_port and text.isprintable()):
            raise ValueError(f"expected {cls.EXPECTED}, got {text[:64]!r}")
        return cls(text)

    @property
    def host(self) -> str:
        """Without the brackets of an IPv6 address."""
        return self.rpartition(":")[0].removeprefix("[").removesuffix("]")

    @property
    def port(self) -> int:
        """0 takes any free one."""
        return int(self.rpartition(":")[2])


class Cidr(str):
    """A network, `10.0.0.0/8`, or a single address."""

    __slots__ = ()
    EXPECTED: ClassVar[str] = "a network such as '10.0.0.0/8' or 'fd00::/8'"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `ValueError` with a sentence for what is none."""
        try:
            ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"expected {cls.EXPECTED}, got {text[:64]!r}") from None
        return cls(text)


class Origin(str):
    """A site as its pages name it in the header `Origin`, in lower case; or `*`, which is every site."""

    __slots__ = ()
    EXPECTED: ClassVar[str] = "an origin such as 'https://example.org' without a path, or '*'"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `ValueError` with a sentence for what is none."""
        match = _ORIGIN.fullmatch(text)
        if text != "*" and (match is None or int(match["port"] or 0) > _LAST_PORT):
            raise ValueError(f"expected {cls.EXPECTED}, got {text[:64]!r}")
        return cls(text.lower())


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `[web]`."""

    bind: Bind = Bind("127.0.0.1:8000")
    """Address and port to listen on, `host:port` or `[ipv6]:port`; port 0 takes any free one."""
    trusted_proxies: tuple[Cidr, ...] = ()
    """Networks (CIDR) of the reverse proxies whose `X-Forwarded-For` is believed; nobody else's is."""
    cors_origins: tuple[Origin, ...] = ()
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
    access_log_hot_calls: bool = False
    """Whether the calls that pages make all the time, and `/healthz`, get a line when they went well. What was refused
    or has failed always gets one, and all are counted in the metrics."""

    def __post_init__(self) -> None:
        if bool(self.certfile) != bool(self.keyfile):
            members = ("certfile", "keyfile") if self.certfile else ("keyfile", "certfile")
            raise Contradiction(Clash(members, "certfile and keyfile are given together or not at all"))
