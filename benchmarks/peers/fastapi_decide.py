"""The same decision as a good engineer would write it in an afternoon: FastAPI, pydantic, and a pool of asyncpg.

*As ours:* a visitor is known by an HMAC; ten campaigns of the same five kinds are asked in order, and the first that
nothing refuses is offered; the state of the visitor and a row of the log (what was asked, what was known, what was
answered, and what became of each campaign) are committed to the disk before the answer is given; whoever was overtaken
by another call for the same visitor, on this node or another, decides again.

*Not as ours:* the campaigns are in the code (`fastapi_model`); there are no expressions, acknowledgements, tokens, rate
limits, cool-down or time budget, no rows for offers and releases, no word to the client when to ask again, no metrics,
and no simulation. So it has less to do. It reads the visitor's row for each call, and each call is a transaction of its
own: five round trips to the database, over a Unix socket, and a sixth by which the pool cleans the connection up.
PostgreSQL flushes the commits of several connections together by itself.

DATABASE_URL names the database, with the tables of `fastapi_schema.sql`.
"""

# mypy: allow_untyped_decorators, disable-error-code="import-not-found,import-untyped"
# Its libraries are in an environment of their own.

import hmac
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
from fastapi import FastAPI, HTTPException
from fastapi_model import DecideReply, DecideRequest, State
from fastapi_rules import evaluate

POOL = 20
TRIES = 10
SALT = b"a secret of this installation"

RECALL = "select version, state from visitors where person_key = $1"
SAVE = """
    insert into visitors (person_key, version, last_seen_at, state) values ($1, $2 + 1, $3, $4)
    on conflict (person_key) do update
    set version = excluded.version, last_seen_at = excluded.last_seen_at, state = excluded.state
    where visitors.version = $2
    returning version
"""
LOG = """
    insert into decision_log (decision_id, decided_at, person_key, request, state_before, reply, reasons)
    values ($1, $2, $3, $4, $5, $6, $7)
"""


async def decide_once(connection: asyncpg.Connection, person: str, request: DecideRequest) -> DecideReply | None:
    """The committed answer; `None`, and nothing is committed, when another call for the visitor was faster."""
    async with connection.transaction():
        row = await connection.fetchrow(RECALL, person)
        before = State.model_validate_json(row["state"]) if row else None
        now = datetime.now(UTC)
        after, reply, reasons = evaluate(person, before, request, now)
        version = row["version"] if row else 0
        state = after.model_dump_json()
        if await connection.fetchval(SAVE, person, version, now, state) is None:
            return None
        asked, answered = request.model_dump_json(by_alias=True), reply.model_dump_json(by_alias=True)
        known = row["state"] if row else None
        await connection.execute(LOG, reply.decision_id, now, person, asked, known, answered, json.dumps(reasons))
        return reply


@asynccontextmanager
async def lifespan(application: FastAPI) -> AsyncIterator[None]:
    """The pool is open as long as the application runs."""
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=POOL, max_size=POOL) as pool:
        application.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@app.post("/api/experience/decide")
async def decide(request: DecideRequest) -> DecideReply:
    """What should this visitor see?"""
    person = "visitor:" + hmac.digest(SALT, request.visitor_id.encode(), "sha256").hex()
    async with app.state.pool.acquire() as connection:
        for _ in range(TRIES):
            reply = await decide_once(connection, person, request)
            if reply is not None:
                return reply
    raise HTTPException(503, "Too many calls for this visitor at once.")
