"""What a key is, what is known of a user, and what may be set about both."""

import re
from datetime import datetime
from typing import Annotated, Self
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from pulsekeeper.access.urls import fetchable
from pulsekeeper.errors import Clash, Contradiction
from pulsekeeper.scalars import Duration, Secret
from pulsekeeper.web.identity import Scope

_PRESENTABLE = re.compile(r"[A-Za-z0-9\-._~+/]{16,}=*")  # what an Authorization header can carry, RFC 6750
_SECOND = Duration(seconds=1)


class AdminKey(Secret):
    """A key of one's own making, or an empty one, which is none. Long enough not to be guessed."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `ValueError` with a sentence for one that is too short, or that no header can carry."""
        if text and not _PRESENTABLE.fullmatch(text):
            raise ValueError("expected at least 16 letters, digits or any of - . _ ~ + /")
        return cls(text)


class IssuerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table `[[auth.issuers]]`. Raises `Contradiction` for an address that keys must not be fetched from."""

    issuer: str
    """Who signs the ID tokens: the address that is their `iss`, letter by letter."""
    audience: Annotated[str, Meta(min_length=1)]
    """For whom they must be: this site's client id, or its project id in Firebase. A second one is a second table."""
    jwks_url: str = ""
    """Where the issuer's keys are; empty takes the address from `<issuer>/.well-known/openid-configuration`."""
    roles_claim: str = "roles"
    """The claim with the user's roles: its name, or the path to it with dots, as `realm_access.roles`."""
    admin_role: str = ""
    """The role whose holders operate this service, as with an admin key. Empty: nobody does by a token."""

    @property
    def discovery_url(self) -> str:
        """Where the issuer says where its keys are (OpenID Connect Discovery 1.0, section 4)."""
        return self.issuer.removesuffix("/") + "/.well-known/openid-configuration"

    def __post_init__(self) -> None:
        clashes = []
        if not fetchable(self.issuer) or urlsplit(self.issuer).query:
            sentence = "expected an issuer such as 'https://example.org', with http for this machine only"
            clashes.append(Clash(("issuer",), sentence))
        if self.jwks_url and not fetchable(self.jwks_url):
            sentence = "expected a jwks_url that begins with https://, or http:// for this machine only"
            clashes.append(Clash(("jwks_url",), sentence))
        if clashes:
            raise Contradiction(*clashes)


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `[auth]`. Raises `Contradiction` for what would be unsafe, or would never work."""

    admin_key: AdminKey = AdminKey("")
    """The first key, with the scope admin, for making the others. Empty: there is none. At least 16 characters."""
    remember: Duration = Duration(seconds=60)
    """How long a recognised key is not looked up again; a revoked one may be used for as long on other nodes."""
    outage_grace: Duration = Duration(hours=1)
    """How long a key that was recognised before counts while the database cannot be reached."""
    remembered: Annotated[int, Meta(ge=1)] = 1000
    """How many recognised keys are kept in memory."""
    issuers: tuple[IssuerSettings, ...] = ()
    """Whose ID tokens are believed. Without any, a token is refused and everybody is anonymous."""
    leeway: Duration = Duration(seconds=60)
    """How far an issuer's clock may be from ours."""
    jwks_ttl: Duration = Duration(hours=1)
    """How long an issuer's keys are used before they are fetched again; a key that it has withdrawn lives as long."""
    jwks_floor: Duration = Duration(seconds=30)
    """The least time between fetches for the sake of unknown keys, and between attempts when fetching fails."""
    jwks_timeout: Duration = Duration(seconds=3)
    """How long fetching an issuer's keys may take, discovery included."""

    def __post_init__(self) -> None:
        clashes = []
        if len({(issuer.issuer, issuer.audience) for issuer in self.issuers}) < len(self.issuers):
            clashes.append(Clash(("issuers",), "expected no two issuers with the same issuer and audience"))
        if not _SECOND <= self.jwks_floor <= self.jwks_ttl:
            clashes.append(Clash(("jwks_floor", "jwks_ttl"), "expected a jwks_floor of at least 1s, at most jwks_ttl"))
        if not self.jwks_timeout:
            clashes.append(Clash(("jwks_timeout",), "expected a jwks_timeout above 0s"))
        if clashes:
            raise Contradiction(*clashes)


class Identity(Struct, frozen=True, kw_only=True):
    """A user, as a verified ID token describes them."""

    subject: str
    """The issuer's name for the user, 1 to 255 printable characters. Only together with the issuer is it unique."""
    roles: tuple[str, ...]
    """What the issuer says the user is, in its order."""
    issuer: str
    expires_at: datetime
    """When the token ends, in UTC; it is accepted for `auth.leeway` longer."""
    is_operator: bool = False
    """Whether the admin role that is configured for the issuer is among the roles."""


class ApiKey(Struct, frozen=True, kw_only=True):
    """A key as it is stored. Nobody can make the token from it."""

    id: str
    """The part of the token by which its row is found; no secret."""
    scope: Scope
    hash: bytes
    """SHA-256 of the token's secret."""
    name: str
    """What the key is for, in its owner's words."""
    created_at: datetime
    last_used_at: datetime | None = None
    """To the minute."""
    revoked_at: datetime | None = None


class Minted(Struct, frozen=True):
    """A new key with its token, which is shown once and then forgotten."""

    token: Secret
    key: ApiKey
