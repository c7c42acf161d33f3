"""The address of a database, checked before anything is started with it."""

from collections.abc import Iterator, Mapping
from typing import Self
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pulsekeeper.scalars import Secret

_SCHEMES = frozenset({"postgres", "postgresql"})
_LAST_PORT = 65535
_WORDS: Mapping[str, frozenset[str]] = {
    "sslmode": frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}),
    "sslnegotiation": frozenset({"postgres", "direct"}),
    "target_session_attrs": frozenset({"any", "primary", "standby", "read-write", "read-only", "prefer-standby"}),
}
"""Parameters that must be one of a few words. Others go to the server as they are."""


class DatabaseUrl(Secret):
    """`postgresql://user:password@host:port/name`, as libpq understands it, or empty.

    There may be several `host:port`, with commas between them, and `?host=/folder` names the folder of a Unix socket.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `ValueError` with a sentence that repeats nothing of the address, for it may hold a password."""
        objection = next(_objections(text), None) if text else None
        if objection is not None:
            raise ValueError(objection)
        return cls(text)


def _objections(url: str) -> Iterator[str]:
    if url.partition("://")[0] not in _SCHEMES or "://" not in url:
        yield "expected an address that begins with postgresql:// or postgres://"
    if not url.isprintable() or " " in url or "#" in url or url.count("@") > 1:
        yield "expected an address in which special characters are percent-encoded, as %40 for @"
    try:
        parts = urlsplit(url)
        parameters = {name: values[-1] for name, values in _query(parts).items()}
    except ValueError:
        yield "expected an address such as postgresql://user:password@host:port/name?parameter=value"
    else:
        yield from _wrong_hosts(parts, parameters)
        yield from (
            f"expected {name} to be one of {', '.join(sorted(words))}"
            for name, words in _WORDS.items()
            if parameters.get(name, min(words)) not in words
        )


def _query(parts: SplitResult) -> Mapping[str, list[str]]:
    return parse_qs(parts.query, strict_parsing=True) if parts.query else {}


def _wrong_hosts(parts: SplitResult, parameters: Mapping[str, str]) -> Iterator[str]:
    listed = parts.netloc.rpartition("@")[2] or parameters.get("host", "")
    hosts = [unquote(host) for host in listed.split(",")]
    if len(hosts) > 1 and not all(hosts):
        yield "expected a host between any two commas"
    ports = [port for host in hosts if (port := _port(host)) is not None]
    ports += parameters.get("port", "").split(",") if "port" in parameters else []
    if not all(port.isascii() and port.isdigit() and 0 < int(port[:6]) <= _LAST_PORT for port in ports):
        yield f"expected every host with a port between 1 and {_LAST_PORT}, or with none"
    if "port" in parameters and parameters["port"].count(",") not in {0, len(hosts) - 1}:
        yield "expected one port for all hosts, or one for each"


def _port(host: str) -> str | None:
    """What is written as the port; `None` for a socket's folder, and where there is none."""
    if host.startswith("/"):
        return None
    after_brackets = host.rpartition("]")[2] if host.startswith("[") else host
    return after_brackets.partition(":")[2] or None
