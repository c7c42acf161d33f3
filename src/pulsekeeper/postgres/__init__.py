"""The system of record: one PostgreSQL, reached by name.

Rooms call it through their stores, with statements that stand in their own `queries.sql`; `house.py` opens it around
the actor tree, because a pool is a handle and not a state. It never knows what a room means by its rows, and it never
hides an outage: what cannot be reached is `Unavailable`, at once or within the caller's deadline, and comes back by
itself.

Why a layer of our own over asyncpg: Trio's cancellation must never leave a session in the middle of something, and a
session taken from the pool must not cost a round trip. Both are decided in one place here, so that no store thinks of
them.
"""
