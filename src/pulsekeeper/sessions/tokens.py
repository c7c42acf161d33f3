"""The tokens of sessions: what they say is signed, so it is believed without looking anything up. Pure.

A token is `pkst_` and the base64url (RFC 4648, section 5, without padding) of 81 bytes:

    version 1 | key id 8 | installation 16 | session 16 | start 8, in microseconds since 1970 | HMAC-SHA256 32

81 bytes are 108 characters to the bit, so there is exactly one way to write a token down, and the alphabet is that of
`Authorization: Bearer`. The signature covers everything before it. A token holds no secret and no person; whoever has
it may speak for the one session that it names, and for nothing else.
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from struct import Struct as Layout
from typing import Literal
from uuid import UUID

from msgspec import Struct

from pulsekeeper.sessions.records import Claims

SECRET_BYTES = 32

_PREFIX = "pkst_"
_VERSION = 1
_SIGNED = Layout(">Bq16s16sq")
_MAC_BYTES = 32
_FORM = re.compile(r"pkst_[A-Za-z0-9_-]{108}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SKEW = timedelta(minutes=5)
"""How far the clocks of nodes may lie apart."""

Flaw = Literal["malformed", "unknown_key", "forged", "expired"]


class SigningKey(Struct, frozen=True):
    """A secret under which tokens are signed."""

    id: int
    """Higher for newer keys. It stands in the token."""
    secret: bytes
    """32 random bytes."""

    def __repr__(self) -> str:
        return f"SigningKey(id={self.id}, secret=•••)"


class BadToken(Exception):
    """A token that is not believed, and why."""

    def __init__(self, reason: Flaw) -> None:
        super().__init__(reason)
        self.reason = reason


def sign(claims: Claims, key: SigningKey) -> str:
    """The token that says this. The start is kept to the microsecond."""
    start = (claims.started_at - _EPOCH) // _MICROSECOND
    signed = _SIGNED.pack(_VERSION, key.id, claims.installation_id.bytes, claims.session_id.bytes, start)
    return _PREFIX + urlsafe_b64encode(signed + _mac(signed, key)).decode()


def key_id(token: str) -> int | None:
    """The key that a token says it is signed with, before anything is verified; `None` if it is no token of ours."""
    raw = _unwrapped(token)
    return None if raw is None else int.from_bytes(raw[1:9], "big", signed=True)


def verify(token: str, key: SigningKey, now: datetime, lifetime: timedelta) -> Claims:
    """What a token says. Exactly `lifetime` after its start it is still good.

    Raises `BadToken`: `malformed` if it is none, or starts more than five minutes after `now`, which is what a node
    whose clock was wrong has signed; `unknown_key` if it is not signed with this key; `forged` if it only says so;
    `expired` if it is too old.
    """
    claims = authenticated(token, key)
    check_age(claims, now, lifetime)
    return claims


def authenticated(token: str, key: SigningKey) -> Claims:
    """What a token says, of whatever age it is: that never changes. Raises `BadToken` like `verify`."""
    raw = _unwrapped(token)
    if raw is None:
        raise BadToken("malformed")
    signed, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    _, signed_with, installation, session, start = _SIGNED.unpack(signed)
    if signed_with != key.id:
        raise BadToken("unknown_key")
    if not hmac.compare_digest(mac, _mac(signed, key)):
        raise BadToken("forged")
    started_at = _EPOCH + timedelta(microseconds=start)
    return Claims(UUID(bytes=installation), UUID(bytes=session), started_at)


def check_age(claims: Claims, now: datetime, lifetime: timedelta) -> None:
    """Raises `BadToken` like `verify` for claims that begin in the future, or are too old."""
    age = now - claims.started_at
    if age > lifetime:
        raise BadToken("expired")
    if age < -_SKEW:
        raise BadToken("malformed")


def _mac(signed: bytes, key: SigningKey) -> bytes:
    return hmac.digest(key.secret, signed, "sha256")


def _unwrapped(token: str) -> bytes | None:
    """The bytes of a token, of which nothing is believed yet. The form is checked first: it bounds the length, too."""
    if _FORM.fullmatch(token) is None:
        return None
    raw = urlsafe_b64decode(token[len(_PREFIX) :])
    return raw if raw[0] == _VERSION else None
