"""Documents of a real issuer over real sockets: bounded, and either what was asked for or an outage."""

import json
import socket

import pytest
import trio

from pulsekeeper.access.fetch import LONGEST_DOCUMENT, fetch_keys, open_client
from pulsekeeper.access.jwks import KeySet
from pulsekeeper.access.model import IssuerSettings
from pulsekeeper.errors import Unavailable
from tests.support.id_tokens import ec_key, rsa_key
from tests.support.issuer import Issuer, IssuerProcess


@pytest.fixture
def issuer(issuers: IssuerProcess) -> Issuer:
    return issuers.open_issuer(rsa_key("r"), ec_key("e"))


async def fetched(settings: IssuerSettings) -> KeySet:
    async with open_client() as client:
        return await fetch_keys(client, settings)


async def outage(settings: IssuerSettings) -> str:
    with pytest.raises(Unavailable) as caught:
        await fetched(settings)
    return caught.value.detail


async def test_the_keys_are_found_by_discovery(issuer: Issuer) -> None:
    keys = await fetched(issuer.settings())

    assert len(keys) == 2
    assert keys.find("r", "RS256") is not None


async def test_a_configured_address_needs_no_discovery(issuer: Issuer) -> None:
    issuer.discover_bytes(b"")

    assert len(await fetched(issuer.settings(jwks_url=issuer.jwks_url))) == 2


async def test_another_issuers_discovery_document_is_not_believed(issuer: Issuer) -> None:
    issuer.discover_bytes(json.dumps({"issuer": "https://x.example", "jwks_uri": issuer.jwks_url}).encode())

    assert await outage(issuer.settings()) == "the discovery document is that of another issuer"
    assert issuer.fetches() == 0


async def test_keys_are_not_fetched_from_where_the_discovery_document_must_not_lead(issuer: Issuer) -> None:
    issuer.discover_bytes(json.dumps({"issuer": issuer.url, "jwks_uri": "http://192.0.2.1/keys"}).encode())

    assert "not safe" in await outage(issuer.settings())


@pytest.mark.parametrize("document", [b"<html>Sign in</html>", b"{}", b'{"keys": 5}', b"\x1f\x8b\x08", b"[" * 99999])
async def test_what_is_no_key_set_is_an_outage(issuer: Issuer, document: bytes) -> None:
    issuer.publish_bytes(document)

    assert await outage(issuer.settings()) == "what is published is not what was expected"


@pytest.mark.parametrize("status", [204, 404, 500, 503])
async def test_another_status_is_an_outage(issuer: Issuer, status: int) -> None:
    issuer.answer_with(status)

    assert await outage(issuer.settings()) == f"{issuer.jwks_url} answered {status}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(issuers: IssuerProcess, issuer: Issuer, status: int) -> None:
    other = issuers.open_issuer(rsa_key("other"))
    issuer.answer_with(status, to=other.jwks_url)

    assert await outage(issuer.settings()) == f"{issuer.jwks_url} answered {status}"
    assert other.fetches() == 0


async def test_a_document_has_a_most_of_bytes(issuer: Issuer) -> None:
    document = json.dumps({"keys": [ec_key("e").jwk], "pad": ""}).encode()
    issuer.publish_bytes(document + b" " * (LONGEST_DOCUMENT - len(document)))
    assert len(await fetched(issuer.settings())) == 1
    issuer.publish_bytes(document + b" " * (LONGEST_DOCUMENT - len(document) + 1))
    assert await outage(issuer.settings()) == f"{issuer.jwks_url} answered with more than 262144 bytes"


async def test_a_document_without_end_is_not_read_to_its_end(issuer: Issuer) -> None:
    issuer.publish_bytes(b" " * 50_000_000)

    assert "more than" in await outage(issuer.settings())


async def test_nobody_listening_is_an_outage() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert "cannot be fetched" in await outage(IssuerSettings(issuer=f"http://127.0.0.1:{port}", audience="x"))


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", b"SSH-2.0-x\r\n", b"\0" * 99]
)
async def test_an_answer_that_is_none_is_an_outage(answer: bytes) -> None:
    async def reply(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(answer)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, reply, [listener])
        url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        assert "cannot be fetched" in await outage(IssuerSettings(issuer=url, audience="x"))
        nursery.cancel_scope.cancel()


async def test_an_issuer_that_speaks_no_tls_is_an_outage(issuer: Issuer) -> None:
    settings = IssuerSettings(issuer=issuer.url.replace("http:", "https:"), audience="x")

    assert "cannot be fetched" in await outage(settings)


async def test_a_fetch_can_be_cancelled_while_the_issuer_is_silent(issuer: Issuer) -> None:
    issuer.hold()
    with trio.move_on_after(0.2) as scope:
        await fetched(issuer.settings())
    issuer.release()

    assert scope.cancelled_caught
