"""Where keys are handed out, listed and taken back: what the `keys` commands call."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from pulsekeeper.access.keys import ENTROPY, mint
from pulsekeeper.access.model import ApiKey, Minted
from pulsekeeper.access.store import KeyStore
from pulsekeeper.errors import Fault, Invalid, NotFound
from pulsekeeper.web.identity import Scope

_LONGEST_NAME = 100


async def create_key(store: KeyStore, scope: Scope, name: str, now: datetime) -> Minted:
    """Make and store a key. Its token is in the answer and nowhere else, so show it now.

    Raises `Invalid` for a name that would not fit into a line of a list.
    """
    if len(name) > _LONGEST_NAME or not name.isprintable():
        detail = f"expected at most {_LONGEST_NAME} printable characters"
        raise Invalid(f"the name of a key: {detail}", [Fault("/name", detail)])
    minted = mint(scope, name, now, secrets.token_bytes(ENTROPY))
    await store.insert(minted.key)
    return minted


async def list_keys(store: KeyStore) -> Sequence[ApiKey]:
    """All keys, revoked ones included, the oldest first."""
    return await store.list()


async def revoke_key(store: KeyStore, key_id: str, now: datetime) -> None:
    """End a key. Nodes that have just recognised it believe it until `auth.remember` is over.

    Raises `NotFound` when there is no such key or it has ended before.
    """
    if not await store.revoke(key_id, now):
        raise NotFound(f"there is no key {key_id[:64]!r} that could be revoked")
