"""Tokens: how they are made, taken apart and compared. Pure.

A token is `pk_<scope>_<id>_<secret>`: the scope for the eyes of whoever finds it in a file, the id to find its row, the
secret to prove it. Only the row's scope counts. The secret has 256 random bits, so one round of SHA-256 is the right
hash: there is nothing to guess that a slow hash would have to protect, and a request must not pay for one.
"""

import hmac
import re
from base64 import b32encode, urlsafe_b64encode
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from pulsekeeper.access.model import ApiKey, Minted
from pulsekeeper.scalars import Secret
from pulsekeeper.web.identity import Scope

ENTROPY = 40
"""How many random bytes a token takes: 8 for its id, 32 for its secret."""

_TOKEN = re.compile(rf"pk_(?:{'|'.join(Scope)})_(?P<id>[a-z2-7]{{12}})_(?P<secret>[A-Za-z0-9_-]{{43}})")


class Presented(NamedTuple):
    """A token that has the right form; whether it is anybody's is another question."""

    id: str
    secret: str


def mint(scope: Scope, name: str, now: datetime, entropy: bytes) -> Minted:
    """A new key made of `ENTROPY` random bytes. Raises `ValueError` when there are not exactly as many."""
    if len(entropy) != ENTROPY:
        raise ValueError(f"a key is made of {ENTROPY} bytes")
    key_id = b32encode(entropy[:8]).decode().lower()[:12]
    secret = urlsafe_b64encode(entropy[8:]).decode().rstrip("=")
    key = ApiKey(id=key_id, scope=scope, hash=hash_of(secret), name=name, created_at=now)
    return Minted(Secret(f"pk_{scope}_{key_id}_{secret}"), key)


def parse(token: str) -> Presented | None:
    """The parts of a token; `None` for everything else, however long or strange it is."""
    match = _TOKEN.fullmatch(token)
    return Presented(match["id"], match["secret"]) if match else None


def verify(key: ApiKey, presented: Presented) -> bool:
    """Whether the secret is this key's and the key is still good, in the same time for every wrong secret."""
    return hmac.compare_digest(key.hash, hash_of(presented.secret)) and key.revoked_at is None


def hash_of(text: str) -> bytes:
    """SHA-256 of any string."""
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
