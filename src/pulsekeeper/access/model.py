"""What a key is, and what may be set about keys."""

import re
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from pulsekeeper.scalars import Duration, Secret
from pulsekeeper.web.identity import Scope

_PRESENTABLE = re.compile(r"[A-Za-z0-9\-._~+/]{16,}=*")  # what an Authorization header can carry, RFC 6750


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `[auth]`. Raises `ValueError` for an admin key that is too short or that no header can carry."""

    admin_key: Secret = Secret("")
    """The first key, with the scope admin, for making the others. Empty: there is none. At least 16 characters."""
    remember: Duration = Duration(seconds=60)
    """How long a recognised key is not looked up again; a revoked one may be used for as long on other nodes."""
    outage_grace: Duration = Duration(hours=1)
    """How long a key that was recognised before counts while the database cannot be reached."""
    remembered: Annotated[int, Meta(ge=1)] = 1000
    """How many recognised keys are kept in memory."""

    def __post_init__(self) -> None:
        if self.admin_key and not _PRESENTABLE.fullmatch(self.admin_key.reveal()):
            raise ValueError("expected an admin_key of at least 16 letters, digits or any of - . _ ~ + /")


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
