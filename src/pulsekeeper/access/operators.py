"""Who may operate this service: the one `Authenticator` that the web asks, for API keys and ID tokens alike."""

from pulsekeeper.access.keyring import Keyring
from pulsekeeper.access.tokens import has_token_form
from pulsekeeper.access.verifier import TokenVerifier
from pulsekeeper.errors import Forbidden
from pulsekeeper.web.identity import Scope


class OperatorAuthenticator:
    """A key has the scope that it was made with. A user with the configured admin role is an admin, others nobody."""

    def __init__(self, keyring: Keyring, verifier: TokenVerifier) -> None:
        self._keyring = keyring
        self._verifier = verifier

    def is_key(self, token: str) -> bool:
        """Whether this can only be an API key, and says nothing about a user."""
        return self._keyring.is_admin_key(token) or not has_token_form(token)

    async def authenticate(self, token: str) -> Scope:
        """The scope of a key or an ID token.

        Raises `Unauthorized` for one that is not good, `Forbidden` for a user without the role, and `Unavailable` when
        the database would have to say and cannot be reached.
        """
        if self.is_key(token):
            return await self._keyring.authenticate(token)
        identity = await self._verifier.identify(token)
        if not identity.is_operator:
            raise Forbidden("This user does not have the role that operators have.")
        return Scope.ADMIN
