"""Who is this? API keys for those who operate the service, ID tokens for the users of the sites that it serves.

The web asks the `OperatorAuthenticator` for the scope of whoever operates, by a key or by a token with the admin role;
the endpoints for users ask the `TokenVerifier` whom a token speaks of; the `keys` commands make and revoke keys. The
room never knows passwords or sessions, never keeps a key that could be used again (only its hash), keeps no token at
all, and logs neither. An outage elsewhere is the worst moment to lose sight of people: keys are remembered for a
minute, so that a request costs no query, and for an hour while the database is away; an issuer's public keys are
fetched ahead of time, and stay good while the issuer is away.
"""
