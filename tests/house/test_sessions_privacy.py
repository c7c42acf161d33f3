"""Who a session belongs to is not to be found afterwards, however hard the client tries to say it."""

import uuid

import httpx
import msgspec

from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.sessions.model import IngestReply, Reason, StartReply
from tests.house.test_secrets import DIRECT, PROXIED, PROXY, dump, found
from tests.support.service import ADMIN, running_service

USER, EMAIL, PHONE = "user-4711-of-the-forum", "ann@example.org", "+49 151 23456789"
HEADERS = {"X-User-Id": USER, "From": EMAIL, "Cookie": f"user={USER}", "User-Agent": f"plug-in of {EMAIL}"}
TELLING = ("email", "E-Mail", "USER_ID", "user.id", "userName", "Phone Number", "\uff45\uff4d\uff41\uff49\uff4c")
EVENTS = inline("select count(*) from events")


def telling(key: str, value: str) -> dict[str, object]:
    """An event that says who somebody is."""
    return {"id": str(uuid.uuid4()), "name": "story_opened", "props": {"story": "Button", key: value}}


async def use(client: httpx.AsyncClient) -> str:
    """Everything that a client can call, some of it more often than it may. Gives the token."""
    answer = await client.post("/telemetry/start-session", json={"userId": USER, "email": EMAIL, "appVersion": "1"})
    token = msgspec.json.decode(answer.content, type=StartReply).token
    events = [telling(key, value) for key in TELLING for value in (USER, EMAIL, PHONE)]
    harmless = {"id": str(uuid.uuid4()), "name": "storyOpened", "user": USER, "props": {"story": "Button"}}
    bearer = {"Authorization": f"Bearer {token}"}
    answer = await client.post("/telemetry/ingest", json=[*events, harmless], headers=bearer)
    reply = msgspec.json.decode(answer.content, type=IngestReply)
    assert (answer.status_code, reply.accepted, len(reply.rejected)) == (200, 1, len(events))
    assert {refusal.reason for refusal in reply.rejected} == {Reason.PII_KEY}
    assert (await client.get(f"/telemetry/still-alive?token={token}&user={USER}")).status_code == 204
    assert (await client.post(f"/telemetry/still-alive?token={token[:-3]}AAA&mail={EMAIL}")).status_code == 401
    assert (await client.post("/telemetry/end-session", headers={"X-Session-Token": token})).status_code == 204
    return token


async def test_neither_addresses_nor_users_nor_tokens_are_left_anywhere(database_url: str, database: Database) -> None:
    with running_service(database_url, web__trusted_proxies=PROXY, log__level="debug") as service:
        tokens = []
        async with service.client(source=DIRECT) as client:
            client.headers.update(HEADERS)
            tokens.append(await use(client))
        async with service.client(source=PROXY) as client:
            for address in PROXIED:
                client.headers.update(HEADERS | {"X-Forwarded-For": address})
                tokens.append(await use(client))
            metrics = (await client.get("/metrics", headers=ADMIN)).text
        service.terminate()
        assert await service.wait() == 0
        log = service.log()

    needles = [DIRECT, PROXY, *PROXIED, "2001:db8:5:6", USER, EMAIL, PHONE, *tokens, *(token[5:40] for token in tokens)]
    assert found(needles, log, metrics, dump(database_url)) == []
    assert await database.fetch_value(EVENTS) == len(tokens)
