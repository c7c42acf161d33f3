"""What an issuer publishes: its public keys (RFC 7517), and where they are. Pure.

Documents come from outside, and sizes are checked before they get here. A key that this service cannot use is passed
over, as the RFC asks: issuers publish keys for other purposes beside those for ID tokens.
"""

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec
from joserfc.jwk import ECKey, RSAKey

from pulsekeeper.access.urls import fetchable
from pulsekeeper.errors import Unavailable

VerificationKey = RSAKey | ECKey
T = TypeVar("T")

MOST_KEYS = 100
_RSA_BITS = range(2048, 8193)
"""Shorter ones can be broken, longer ones take too long."""


class KeySet:
    """An issuer's public keys for signatures, by their ids and algorithms."""

    def __init__(self, keys: Mapping[tuple[str, str], VerificationKey] | None = None) -> None:
        self._keys = dict(keys or {})

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, key_id: str, algorithm: str) -> VerificationKey | None:
        """The key with this id, if it is one for this algorithm: what a key is for is never the token's choice."""
        return self._keys.get((key_id, algorithm))


class _Jwk(msgspec.Struct, frozen=True):
    kty: str
    kid: Annotated[str, msgspec.Meta(min_length=1)]
    use: str = "sig"
    key_ops: tuple[str, ...] = ("verify",)
    alg: str | None = None
    crv: str = ""
    x: str = ""
    y: str = ""
    n: str = ""
    e: str = ""


class _Document(msgspec.Struct, frozen=True):
    keys: list[msgspec.Raw]


class _Discovery(msgspec.Struct, frozen=True):
    issuer: str
    jwks_uri: str


def parse_key_set(document: bytes) -> KeySet:
    """The usable keys of a JWKS document; there may be none. Raises `Unavailable` when it is no such document."""
    listed = _decoded(document, _Document).keys
    if len(listed) > MOST_KEYS:
        raise Unavailable(f"more than {MOST_KEYS} keys are published")
    keys: dict[tuple[str, str], VerificationKey] = {}
    for raw in listed:
        jwk = _jwk(raw)
        algorithm = jwk and _algorithm(jwk)
        if jwk and algorithm and (key := _imported(jwk)):
            keys.setdefault((jwk.kid, algorithm), key)
    return KeySet(keys)


def parse_jwks_url(document: bytes, issuer: str) -> str:
    """Where the keys are, from the issuer's discovery document.

    Raises `Unavailable` when the document is none, is another issuer's, or leads to where nothing may be fetched from.
    """
    found = _decoded(document, _Discovery)
    if found.issuer != issuer:
        raise Unavailable("the discovery document is that of another issuer")
    if not fetchable(found.jwks_uri):
        raise Unavailable("the discovery document has a jwks_uri that is not safe to fetch from")
    return found.jwks_uri


def _decoded(document: bytes, to: type[T]) -> T:
    try:
        return msgspec.json.decode(document, type=to)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Unavailable("what is published is not what was expected") from None


def _jwk(raw: msgspec.Raw) -> _Jwk | None:
    try:
        return msgspec.json.decode(raw, type=_Jwk)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _algorithm(jwk: _Jwk) -> str | None:
    """The one algorithm that a key is good for; `None` when it is not for us."""
    algorithm = {"RSA": "RS256", "EC": "ES256"}.get(jwk.kty)
    fits = jwk.use == "sig" and "verify" in jwk.key_ops and jwk.alg in {None, algorithm}
    return algorithm if fits else None


def _imported(jwk: _Jwk) -> VerificationKey | None:
    """The key itself, made of its public members alone; `None` when it is too weak, too large or not a key at all."""
    try:
        if jwk.kty == "RSA" and _bits(jwk.n) in _RSA_BITS:
            return RSAKey.import_key({"kty": "RSA", "n": jwk.n, "e": jwk.e})
        if jwk.kty == "EC" and jwk.crv == "P-256":
            return ECKey.import_key({"kty": "EC", "crv": jwk.crv, "x": jwk.x, "y": jwk.y})
    except Exception:  # noqa: S110  # whatever a library finds to say about a stranger's numbers: this is no key
        pass
    return None


def _bits(number: str) -> int:
    return int.from_bytes(urlsafe_b64decode(number + "==")).bit_length()
