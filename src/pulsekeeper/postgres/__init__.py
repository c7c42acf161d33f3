"""The system of record: one PostgreSQL, reached by name.

Rooms call it through their stores, with statements that stand in their own `queries.sql`. The few that are hot are
functions, made by `migrations/`, which those only call: as statements they may be planned anew at every execution,
which takes longer than carrying them out. To change one, write a migration with a function of another name: nodes of
the version before go on calling the old one. `house.py` opens it around the actor tree, because a pool is a handle and
not a state. It never knows what a room means by its rows, and it never hides an outage: what cannot be reached is
`Unavailable`, at once or within the caller's deadline, and comes back by itself.

Why a layer of our own over asyncpg: Trio's cancellation must never leave a session in the middle of something, and a
session taken from the pool must not cost a round trip. Both are decided in one place here, so that no store thinks of
them. And a statement runs in the task that asks it (`line`), past the asyncio loop that asyncpg was made for: crossing
over to that loop cost several times what the statement did. What is no plain statement (connecting, COPY, LISTEN), and
whatever goes over TLS, still crosses (`session`, `driver`).
"""
