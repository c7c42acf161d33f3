"""An issuer that is only in the mind, for tests of tokens, and how to ask about the keys of a real one."""

import json
import re
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
import trio

from pulsekeeper.access.issuers import IssuerKeys
from pulsekeeper.access.jwks import KeySet, parse_key_set
from pulsekeeper.access.model import Identity, IssuerSettings
from pulsekeeper.access.tokens import verify
from pulsekeeper.errors import Unauthorized
from tests.support.id_tokens import NOW, SigningKey, claims_of, ec_key, rsa_key

URL = "https://issuer.example.org"
ISSUER = IssuerSettings(issuer=URL, audience="site", admin_role="pulse-admin")
RSA, EC, STRANGER = rsa_key("r"), ec_key("e"), rsa_key("stranger")
OLD, NEW = rsa_key("old"), ec_key("new")
"""What a real issuer signs with, before and after a rotation."""
KEYS = parse_key_set(json.dumps({"keys": [RSA.jwk, EC.jwk]}).encode())
LEEWAY = timedelta(seconds=60)


def claims(**changes: object) -> dict[str, object]:
    """Those of a good token, changed; None leaves one out."""
    return claims_of(URL, "site", **changes)


def verified(token: str, issuer: IssuerSettings = ISSUER, keys: KeySet = KEYS) -> Identity:
    """The user of a token that is good."""
    return verify(token, keys, issuer, NOW, LEEWAY)


def reason(token: str, keys: KeySet = KEYS) -> str:
    """Why a token is refused: a sentence that has no part of the token in it."""
    with pytest.raises(Unauthorized) as caught:
        verified(token, keys=keys)
    sentence = caught.value.detail
    match = re.fullmatch(r"This ID token is not accepted: (.*)\.", sentence)
    assert match
    assert not [part for part in re.findall(r"\w{12,}", token) if part in sentence]
    assert caught.value.__cause__ is None
    return match[1]


async def known(keys: IssuerKeys, key: SigningKey) -> bool:
    """That a key is there, after a fetch if it must be."""
    found = await keys.with_key(key.key_id, key.algorithm)
    return found.find(key.key_id, key.algorithm) is not None


async def unknown(keys: IssuerKeys, key_id: str = "unheard of") -> float:
    """That a key is not known, and in how many seconds the issuer is asked again."""
    with pytest.raises(Unauthorized) as caught:
        await keys.with_key(key_id, "RS256")
    assert caught.value.retry_after is not None
    return caught.value.retry_after


async def until(fact: Callable[[], bool]) -> None:
    """Return when another process has made it so. The clock of the test stands still, so real time is slept."""
    deadline = time.monotonic() + 10
    while not fact():
        assert time.monotonic() < deadline
        await trio.to_thread.run_sync(time.sleep, 0.005)
