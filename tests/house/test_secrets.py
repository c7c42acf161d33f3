"""Who asks, and what is configured as a secret, is not to be found afterwards: not in the database, not in the log."""

import json
import socket
import subprocess
import time
from collections.abc import Iterable, Sequence

import httpx
import trio

from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.postgres.server import _find_binaries
from tests.house.parts import DECIDE, ask
from tests.support.id_tokens import claims_of, ec_key
from tests.support.issuer import AUDIENCE, issuer_process
from tests.support.postgres import ServerProcess
from tests.support.service import ADMIN, ADMIN_KEY, Service, running_service

DIRECT, SPOOFER, PROXY = "127.77.1.2", "127.77.1.3", "127.77.0.9"
"""Three of the many addresses that this machine has."""
PROXIED = ("203.0.113.77", "2001:db8:5:6::7")
CLAIMED = ("198.51.100.23", "198.51.100.24")
VISITOR = "a-browsers-own-random-id"
PASSWORD = "the-password-of-the-database"
SUBJECT, EMAIL, NAME = "the-subject-of-a-token", "ann@example.org", "Ann Without-Surname"
PEOPLE = inline("select count(distinct person_key) from decision_log")


def has_ipv6() -> bool:
    """Whether this machine speaks it."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def dump(database_url: str) -> str:
    """The whole database as text."""
    command = [str(_find_binaries() / "pg_dump"), "--inserts", database_url]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


def found(needles: Iterable[str], *haystacks: str) -> list[str]:
    """What of it is to be found, whatever the case."""
    return [needle for needle in needles if any(needle.lower() in haystack.lower() for haystack in haystacks)]


async def ask_as(service: Service, source: str, *forwarded_for: str) -> None:
    """Ask without a visitor id, once for each `X-Forwarded-For`, from an address of this machine."""
    base_url = f"http://[::1]:{service.port}" if ":" in source else service.url
    async with service.client(base_url=base_url, source=source) as client:
        for claim in forwarded_for or ("",):
            client.headers["X-Forwarded-For"] = claim
            assert (await ask(client)).committed


async def test_no_address_is_left_anywhere(database_url: str, database: Database) -> None:
    """Neither of visitors, over IPv4 and IPv6, nor what proxies say; and a header from a stranger changes nothing."""
    direct = (DIRECT, "::1") if has_ipv6() else (DIRECT,)
    bind = "[::]:0" if has_ipv6() else "127.0.0.1:0"
    with running_service(database_url, web__bind=bind, web__trusted_proxies=PROXY, log__level="debug") as service:
        for source in direct:
            await ask_as(service, source)
        await ask_as(service, SPOOFER, *CLAIMED)
        await ask_as(service, PROXY, *PROXIED)
        await cause_trouble(service)
        service.terminate()
        assert await service.wait() == 0
        log = service.log()

    addresses = [*direct, SPOOFER, PROXY, *PROXIED, *CLAIMED, "2001:db8:5:6", "::ffff:"]
    assert found(addresses, log, dump(database_url)) == []
    assert await database.fetch_value(PEOPLE) == len(direct) + 1 + len(PROXIED)


async def cause_trouble(service: Service) -> None:
    """Requests that are refused, one way or the other, in the hope that something is said about them."""
    bodies: Sequence[object] = (
        {"releaseId": 7, "visitorId": VISITOR},
        {"releaseId": "1", "visitorId": f"{VISITOR}!"},
    )
    async with service.client(source=DIRECT) as client:
        client.headers["X-Forwarded-For"] = CLAIMED[0]
        for body in bodies:
            assert (await client.post(DECIDE, content=json.dumps(body))).status_code == 415
            assert (await client.post(DECIDE, json=body)).status_code == 400
        assert (await client.post(f"{DECIDE}?visitorId={VISITOR}", content=b"{", headers=ADMIN)).status_code == 401
        assert (await client.get(f"/api/nowhere/{VISITOR}")).status_code == 404
        assert (await client.get("/metrics", headers={"Authorization": f"Bearer {ADMIN_KEY}x"})).status_code == 401
        assert (await client.get("/metrics", headers=ADMIN)).status_code == 200


async def test_no_secret_is_left_anywhere_not_even_in_an_outage(fragile_server: ServerProcess) -> None:
    url = fragile_server.url.replace("postgres@", f"postgres:{PASSWORD}@")
    with running_service(url, log__level="debug", decisions__rule_book_refresh="100ms") as service:
        async with service.client() as client:
            assert (await ask(client, VISITOR)).committed
            await trio.to_thread.run_sync(fragile_server.kill)
            service.wait_printed("rules_not_read")
            assert not (await ask(client, VISITOR)).committed
            await cause_trouble(service)
            fragile_server.start()
        service.terminate()
        assert await service.wait() == 0
        log = service.log()

    assert found([VISITOR, ADMIN_KEY, PASSWORD], log, dump(fragile_server.url)) == []


async def test_no_id_token_is_left_anywhere_nor_what_it_says_about_its_user(
    database_url: str, database: Database
) -> None:
    """Of a user there is the `sub`, in the database alone. Tokens that are refused are not kept either."""
    claims = {"iat": time.time(), "exp": time.time() + 3600, "sub": SUBJECT, "email": EMAIL, "name": NAME}
    with issuer_process() as process:
        key, issuer = ec_key("k-1"), process.open_issuer(ec_key("k-1"))
        good = key.sign(claims_of(issuer.url, AUDIENCE, **claims))
        bad = [
            key.sign(claims_of(issuer.url, AUDIENCE, **claims | {"exp": 1})),
            key.sign(claims_of(issuer.url, "another-site", **claims)),
            ec_key("unknown").sign(claims_of(issuer.url, AUDIENCE, **claims)),
            good[:-4],
        ]
        trust = {"auth__issuers": json.dumps([{"issuer": issuer.url, "audience": AUDIENCE}]), "log__level": "debug"}
        with running_service(database_url, decisions__budget="20s", **trust) as service:
            async with service.client() as client:
                client.headers["Authorization"] = f"Bearer {good}"
                assert (await ask(client, VISITOR)).committed
                await refuse(client, bad)
            service.terminate()
            assert await service.wait() == 0
            log = service.log()

    parts = [part for token in (good, *bad) for part in (token, *token.split(".")[1:])]
    assert found([*parts, EMAIL, NAME, VISITOR], log, dump(database_url)) == []
    assert found([SUBJECT], log) == []
    assert await database.fetch_value(PEOPLE) == 1


async def refuse(client: httpx.AsyncClient, tokens: Iterable[str]) -> None:
    """Every way in which a token can be sent, and none of them is believed."""
    acknowledgement = {"campaignId": "hello", "outcome": "shown", "visitorId": VISITOR}
    for token in tokens:
        client.headers["Authorization"] = f"Bearer {token}"
        for answer in (
            await client.post(DECIDE, json={"releaseId": "1.0", "visitorId": VISITOR}),
            await client.post(f"{DECIDE}?explain=1", json={"releaseId": "1.0", "visitorId": VISITOR}),
            await client.post("/api/experience/ack", json=acknowledgement),
            await client.get(f"/api/experience/state?userId={SUBJECT}"),
        ):
            assert answer.status_code == 401
            assert token not in answer.text
