"""From where keys may be fetched. Pure."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

_PLAIN = re.compile(r"https?://[^\s@\\#]+", re.ASCII)


def fetchable(url: str) -> bool:
    """Whether what is fetched from this address can be believed: it is TLS, or it never leaves this machine.

    Addresses with a user, a fragment, or anything that two parsers may read in two ways are none.
    """
    if not (url.isascii() and url.isprintable() and _PLAIN.fullmatch(url)):
        return False
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets without an address
        return False
    return usable and (parts.scheme == "https" or _is_loopback(parts.hostname or ""))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
