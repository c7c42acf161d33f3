"""Keys that sign, and tokens of every kind, the good ones and those of attackers."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Literal

from joserfc import jws
from joserfc.jwk import ECKey, KeyParameters, RSAKey

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
Algorithm = Literal["RS256", "ES256"]


class SigningKey:
    """A private key of an issuer."""

    def __init__(self, key: RSAKey | ECKey, key_id: str, algorithm: Algorithm) -> None:
        self._key = key
        self.key_id = key_id
        self.algorithm = algorithm

    @property
    def jwk(self) -> dict[str, object]:
        """The public half, as it is published."""
        return {**self._key.as_dict(private=False), "kid": self.key_id, "use": "sig", "alg": self.algorithm}

    @property
    def private_jwk(self) -> dict[str, object]:
        """Both halves, as nobody should publish them."""
        return {**self._key.as_dict(private=True), "kid": self.key_id}

    @property
    def public_pem(self) -> bytes:
        """The public half, as an attacker may use it for a secret."""
        return self._key.as_pem(private=False)

    def sign(self, claims: Mapping[str, object], **header: object) -> str:
        """A token with these claims. `header` comes on top of `alg`, `kid` and `typ`; None leaves one out."""
        return self.sign_bytes(json.dumps(claims).encode(), **header)

    def sign_bytes(self, payload: bytes, **header: object) -> str:
        """A token with any payload."""
        members = {"alg": self.algorithm, "kid": self.key_id, "typ": "JWT", **header}
        return self.sign_raw(json.dumps({name: value for name, value in members.items() if value is not None}), payload)

    def sign_raw(self, header: str, payload: bytes) -> str:
        """A token with any header, signed as this key signs, whatever the header says."""
        signing_input = f"{encoded(header.encode())}.{encoded(payload)}"
        signature = jws.JWSRegistry.algorithms[self.algorithm].sign(signing_input.encode(), self._key)
        return f"{signing_input}.{encoded(signature)}"


@cache
def rsa_key(key_id: str, bits: int = 2048) -> SigningKey:
    """The same one each time; making one takes a while."""
    return SigningKey(RSAKey.generate_key(bits), key_id, "RS256")


@cache
def ec_key(key_id: str) -> SigningKey:
    """The same one each time."""
    return SigningKey(ECKey.generate_key("P-256"), key_id, "ES256")


def other_curve(key_id: str) -> dict[str, object]:
    """A published key on a curve that is not for ES256."""
    parameters: KeyParameters = {"kid": key_id}
    return dict(ECKey.generate_key("P-384", parameters).as_dict(private=False))


def claims_of(issuer: str, audience: str, **changes: object) -> dict[str, object]:
    """The claims of a good token that was issued just now. None leaves one out."""
    claims = {"iss": issuer, "aud": audience, "sub": "u-1", "iat": SECONDS, "exp": SECONDS + 3600, **changes}
    return {name: value for name, value in claims.items() if value is not None}


def encoded(raw: bytes) -> str:
    """In base64url, without padding."""
    return urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(segment: str) -> bytes:
    """From base64url without padding."""
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
