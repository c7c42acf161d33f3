"""Who is asking: the client's address behind proxies, the key in its header, and what a key is good for. Pure."""

import re
from collections.abc import Sequence
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Protocol

from pulsekeeper.errors import Unauthorized

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

UNKNOWN = "unknown"
"""What stands for a client whose address cannot be read."""

_PORT = re.compile(r"\[(?P<bracketed>[^\]]*)\](?::\d*)?|(?P<v4>[^:]*)(?::\d*)?|(?P<v6>.*)", re.DOTALL)
_BEARER = re.compile(r"bearer +(?P<token>[A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)
_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_LONGEST_TOKEN = 8192


class Scope(StrEnum):
    """What a key is good for."""

    ADMIN = "admin"
    """Everything."""
    WORKER = "worker"
    """What other services do: report beats, send events, fire timers."""
    METRICS = "metrics"
    """Reading the metrics."""

    def grants(self, needed: "Scope") -> bool:
        """Whether a key with this scope opens a door that needs `needed`. An admin's opens all."""
        return self is Scope.ADMIN or self is needed


class Authenticator(Protocol):
    """Knows the keys. Handed in by the composition root, so that the web knows no table."""

    async def authenticate(self, token: str) -> Scope:
        """The scope of a key. Raises `Unauthorized` for an unknown one, `Unavailable` when that cannot be told."""


def parse_address(text: str) -> Address | None:
    """An address without port, brackets and zone, IPv4 out of its IPv6 wrapping; `None` when it is none.

    Takes all the notations that are met in `X-Forwarded-For`: `192.0.2.1:80`, `[2001:db8::1]:80`, `fe80::1%eth0`,
    `::ffff:192.0.2.1`.
    """
    match = _PORT.fullmatch(text.strip())
    bare = (match["bracketed"] or match["v4"] or match["v6"] or "") if match else ""
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def canonical(address: Address) -> str:
    """The part of an address that stands for one line: IPv4 whole, of IPv6 the /64, as `2001:db8:1:2::/64`."""
    return str(IPv6Network((address, 64), strict=False)) if isinstance(address, IPv6Address) else str(address)


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """The configured proxies' networks. Raises `ValueError` for one that is none."""
    return tuple(ip_network(text, strict=False) for text in texts)


def client_address(peer: str, forwarded_for: str | None, proxies: Sequence[Network]) -> str:
    """The canonical address of the client. `forwarded_for` holds all `X-Forwarded-For` headers, joined by commas.

    The header is believed only when the peer is one of the `proxies`, and only as far as proxies vouch for it: it is
    walked from the right, and the first address that is not a proxy is the client. An entry that cannot be read ends
    the walk: nothing to the left of it is vouched for, so the last proxy stands for the client. So it does when all
    entries are proxies.
    """
    if not proxies and _IPV4.fullmatch(peer):
        return peer  # as the system writes it, which is canonical; parsing it takes longer than all the rest
    client = parse_address(peer)
    if client is None:
        return UNKNOWN
    for entry in reversed((forwarded_for or "").split(",")):
        hop = parse_address(entry) if _trusted(client, proxies) else None
        if hop is None:
            break
        client = hop
    return canonical(client)


def bearer(header: str | None) -> str | None:
    """The token of an `Authorization` header; `None` without one. Raises `Unauthorized` for another scheme or form."""
    if header is None:
        return None
    match = _BEARER.fullmatch(header.strip()) if len(header) <= _LONGEST_TOKEN else None
    if match is None:
        raise Unauthorized("The Authorization header is not of the form 'Bearer <key>'.")
    return match["token"]


def _trusted(address: Address, proxies: Sequence[Network]) -> bool:
    return any(address in network for network in proxies)
