"""Keys that stand for somebody without saying who it is."""

import hashlib
import secrets


class Blinding:
    """Makes the keys under which limits count. Addresses and names are not to be remembered by anyone, not even here.

    The secret is this process's own and is never written down, so the keys are worth nothing to anybody else.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def __call__(self, value: str) -> str:
        """The same value has the same key for as long as this lives."""
        return hashlib.blake2b(value.encode(), key=self._secret, digest_size=16).hexdigest()
