"""Who may operate this service? Keys: made, listed, revoked, and recognised when a request presents one.

The web asks the `Keyring` for the scope of a token; the `keys` commands make and revoke. It never knows people,
passwords or sessions, never keeps a key that could be used again (only its hash), and never logs a token. Recognised
keys are remembered for a minute, so that a request costs no query, and for an hour while the database is away, because
an outage is the worst moment to lose sight of the metrics.
"""
