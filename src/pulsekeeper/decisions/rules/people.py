"""Who is asking, as far as this room may know: a key without a name behind it.

An anonymous person is known by an HMAC, so that nobody without the salt can find out whose row this is, not even by
trying every address. The same key also deals people into cohorts and spreads their next calls over time.
"""

import hashlib
from typing import Literal

from msgspec import Struct

Kind = Literal["user", "visitor", "ip"]
_PRECISION = 10_000
_SPREAD = 1 << 64
_BLOCK = 64
"""Bytes that SHA-256 takes at once."""
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


class Person(Struct, frozen=True, kw_only=True, gc=False):
    """The one that a decision is for."""

    key: str
    """`user:<sub>`, `visitor:<hmac>` or `ip:<hmac>`."""
    kind: Kind
    authenticated: bool = False
    """Whether a verified token came with this call."""
    roles: tuple[str, ...] = ()
    """Roles that the token vouches for."""


class Asker(Struct, frozen=True, kw_only=True, gc=False):
    """Who asks, in their own words and before any hashing. It goes no further than from a request to the decider."""

    kind: Literal["visitor", "ip"]
    """What `value` is: the browser's own id, or the address."""
    value: str
    subject: str | None = None
    """The `sub` of a verified token."""
    roles: tuple[str, ...] = ()
    """The roles that the token vouches for."""


def user_key(subject: str) -> str:
    """The key of someone with a verified token."""
    return f"user:{subject}"


class Pseudonyms:
    """The keys of anonymous people: HMAC-SHA-256 in hex, keyed by a salt.

    What is the same for everybody, the salt and the name of the environment, is hashed once. Python's own `hmac` cannot
    go on from there at less than twice the time.
    """

    def __init__(self, environment: str, salt: bytes) -> None:
        block = (salt if len(salt) <= _BLOCK else hashlib.sha256(salt).digest()).ljust(_BLOCK, b"\0")  # as in RFC 2104
        self._outer = hashlib.sha256(block.translate(_OUTER))
        self._inner = hashlib.sha256(block.translate(_INNER) + f"{environment}|".encode())

    def key(self, kind: Literal["visitor", "ip"], value: str) -> str:
        """The key of a browser's own id, or of an address."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(f"{kind}|{value}".encode())
        outer.update(inner.digest())
        return f"{kind}:{outer.hexdigest()}"


def anonymous_key(kind: Literal["visitor", "ip"], value: str, *, environment: str, salt: bytes) -> str:
    """A single key of those that `Pseudonyms` gives."""
    return Pseudonyms(environment, salt).key(kind, value)


def bucket(salt: str, person_key: str) -> float:
    """The place of a person in a rollout, 0.00 to 99.99 in steps of a hundredth, the same for ever."""
    return _fingerprint(f"{salt}:{person_key}") % _PRECISION / 100


def spread(person_key: str) -> float:
    """A fraction of at least 0 and less than 1, the same for ever, by which people are kept from coming in step."""
    return (_fingerprint(f"spread:{person_key}") >> 11) / (_SPREAD >> 11)


def _fingerprint(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
