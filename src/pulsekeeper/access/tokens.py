"""ID tokens: whom they speak of, and whether that is believed. Pure.

A token is a JWT (RFC 7519) that an issuer has signed. joserfc judges the signature and nothing else: which key and
which algorithm are ours to say, so a token cannot choose a weaker one, nor bring its own key in its header. What is
refused is refused in a sentence that repeats nothing of the token, because sentences end up in logs.
"""

import re
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Annotated, Literal, NamedTuple, TypeVar

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from pulsekeeper.access.jwks import KeySet, VerificationKey
from pulsekeeper.access.model import Identity, IssuerSettings
from pulsekeeper.errors import Unauthorized

LONGEST = 8192
"""Bytes. Longer than any issuer's tokens, and as much as a request's header may have."""

_LAST_MOMENT = 253_402_300_799
"""The end of the year 9999, in seconds: a later time is none."""
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
S = TypeVar("S")


class Claimed(NamedTuple):
    """What a token says before anybody has verified it: enough to find the key, and good for nothing else."""

    issuer: str
    audiences: tuple[str, ...]
    key_id: str
    algorithm: str


class _Header(Struct, frozen=True):
    alg: Literal["RS256", "ES256"]
    kid: Annotated[str, Meta(min_length=1)]
    typ: str = "JWT"
    crit: Raw | UnsetType = UNSET
    """Extensions that must be understood. We understand none."""


class _Addressed(Struct, frozen=True):
    iss: str
    aud: str | tuple[str, ...]

    @property
    def audiences(self) -> tuple[str, ...]:
        return (self.aud,) if isinstance(self.aud, str) else self.aud


class _Claims(_Addressed, frozen=True, kw_only=True):
    sub: Annotated[str, Meta(min_length=1, max_length=255)]
    exp: float
    nbf: float = -inf
    iat: float = -inf


class _Registry(jws.JWSRegistry):
    """joserfc's own limits suit tokens without a certificate in their header. Ours is on the whole, and is checked."""

    max_header_length = max_payload_length = max_signature_length = LONGEST


_registry = _Registry(algorithms=["RS256", "ES256"], strict_check_header=False)  # unknown parameters are ignored


def has_token_form(text: str) -> bool:
    """Whether this looks like an ID token, and not like an API key."""
    return _FORM.fullmatch(text) is not None


def claimed(token: str) -> Claimed:
    """Who is said to have signed a token, with which key. Raises `Unauthorized` for what cannot be one."""
    header, payload = _opened(token)
    addressed = _decoded(payload, _Addressed, "its issuer or its audience is missing")
    return Claimed(addressed.iss, addressed.audiences, header.kid, header.alg)


def verify(token: str, keys: KeySet, issuer: IssuerSettings, now: datetime, leeway: timedelta) -> Identity:
    """The user whom a token speaks of. Raises `Unauthorized`, and nothing else, for every token that is not good."""
    header, _ = _opened(token)
    key = keys.find(header.kid, header.alg)
    if key is None:
        raise refused("the key that signed it is not known")
    payload = _signed_payload(token, key)
    claims = _decoded(payload, _Claims, "a claim that is needed is missing or is not of its type")
    _check_parties(claims, issuer)
    _check_times(claims, now.timestamp(), leeway.total_seconds())
    roles = roles_at(msgspec.json.decode(payload), issuer.roles_claim)
    return Identity(
        subject=claims.sub,
        roles=roles,
        issuer=claims.iss,
        expires_at=datetime.fromtimestamp(claims.exp, UTC),
        is_operator=bool(issuer.admin_role) and issuer.admin_role in roles,
    )


def roles_at(claims: object, path: str) -> tuple[str, ...]:
    """The roles in a claim: a list of strings, or a single one. Whatever else is there is no role.

    A claim whose name has dots in it, as `https://example.org/roles`, is found before the path is taken apart.
    """
    found = _at(claims, path)
    listed = found if isinstance(found, list) else [found]
    return tuple(role for role in listed if isinstance(role, str) and role and role.isprintable())


def refused(reason: str, *, retry_after: float | None = None) -> Unauthorized:
    """The one form of every refusal; the reason continues the sentence."""
    return Unauthorized(f"This ID token is not accepted: {reason}.", retry_after=retry_after)


def _opened(token: str) -> tuple[_Header, bytes]:
    """The header and the payload. Nothing in them is verified yet."""
    if len(token) > LONGEST:
        raise refused(f"it is longer than {LONGEST} bytes")
    if not has_token_form(token):
        raise refused("it does not have the form of one")
    first, second, _ = token.split(".")
    header = _decoded(_bytes(first), _Header, "it does not name a key and is not signed with RS256 or ES256")
    if header.crit is not UNSET:
        raise refused("its header has extensions that are not understood")
    if header.typ.lower() not in {"jwt", "application/jwt"}:
        raise refused("it is a token of another type")
    return header, _bytes(second)


def _bytes(segment: str) -> bytes:
    """Lenient, because joserfc decodes once more, and strictly, before anything is believed."""
    try:
        return urlsafe_b64decode(segment + "==")
    except ValueError:
        raise refused("it does not have the form of one") from None


def _decoded(document: bytes, to: type[S], otherwise: str) -> S:
    try:
        return msgspec.json.decode(document, type=to)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise refused(otherwise) from None


def _signed_payload(token: str, key: VerificationKey) -> bytes:
    try:
        return jws.deserialize_compact(token, key, registry=_registry).payload
    except (JoseError, ValueError, TypeError, RecursionError):
        raise refused("its signature is wrong") from None


def _check_parties(claims: _Claims, issuer: IssuerSettings) -> None:
    if claims.iss != issuer.issuer:
        raise refused("it is another issuer's")
    if claims.audiences != (issuer.audience,):  # whom else it is for, nobody here trusts: OpenID Connect Core, 3.1.3.7
        raise refused("it is not meant for this site alone")
    if not claims.sub.isprintable():
        raise refused("its subject cannot be used")


def _check_times(claims: _Claims, now: float, leeway: float) -> None:
    if now - leeway >= claims.exp:
        raise refused("it has expired")
    if claims.exp > _LAST_MOMENT:
        raise refused("its end is not a time")
    if claims.nbf > now + leeway:
        raise refused("it is not valid yet")
    if claims.iat > now + leeway:
        raise refused("it was issued in the future")


def _at(claims: object, path: str) -> object:
    if not isinstance(claims, dict):
        return None
    if path in claims:
        return claims[path]
    outer, dot, inner = path.partition(".")
    return _at(claims.get(outer), inner) if dot else None
