"""The life of the front: it starts, is restarted, and leaves in order."""

import ssl
from typing import Never

import pytest
import trio

from pulsekeeper.actors.inbox import Inbox, Stop
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.web.front import Front
from pulsekeeper.web.listening import CannotListen, Listening
from pulsekeeper.web.settings import Bind, Settings
from pulsekeeper.web.wire import Reply, Request, json_reply
from tests.web.clients import GET, GET_AND_CLOSE, PEM, Running, reply_of, rest_of, serving
from tests.web.parts import SHOW, app_of, seconds


async def test_a_request_in_flight_is_finished_before_the_front_ends() -> None:
    entered, go_on = trio.Event(), trio.Event()

    async def slow(_: Request) -> Reply:
        entered.set()
        await go_on.wait()
        return json_reply("done")

    async with serving(slow) as front, await front.connect() as stream:
        await stream.send_all(GET.replace(b"/things/1", b"/slow"))
        await entered.wait()
        front.stop()
        await refused(front)
        assert front.listening.reasons() == ("the service is shutting down",)
        go_on.set()
        assert (await rest_of(stream)).endswith(b'"done"')
        await front.ended.wait()


async def test_idle_connections_do_not_hold_up_the_end() -> None:
    started = serving(graceful_timeout=seconds(60))
    async with started as front, await front.connect() as fresh, await front.connect() as used:
        await used.send_all(GET)
        await reply_of(used)
        front.stop()
        with trio.fail_after(1):
            await front.ended.wait()
        assert (await rest_of(fresh), await rest_of(used)) == (b"", b"")


async def test_what_does_not_finish_in_time_is_cut_off() -> None:
    entered = trio.Event()

    async def stuck(_: Request) -> Reply:
        entered.set()
        await trio.sleep_forever()
        raise AssertionError("unreachable")

    async with serving(stuck, graceful_timeout=seconds(0.1)) as front, await front.connect() as stream:
        await stream.send_all(GET.replace(b"/things/1", b"/stuck"))
        await entered.wait()
        front.stop()
        with trio.fail_after(1):
            await front.ended.wait()


async def test_a_client_that_does_not_read_cannot_hold_up_the_end() -> None:
    async def huge(_: Request) -> Reply:
        return Reply(status=200, body=b"x" * 50_000_000, content_type="text/plain")

    async with serving(huge, graceful_timeout=seconds(0.1)) as front, await front.connect() as stream:
        await stream.send_all(GET.replace(b"/things/1", b"/huge"))
        await stream.receive_some(100)
        front.stop()
        with trio.fail_after(1):
            await front.ended.wait()


async def test_readiness_goes_first_and_the_door_a_little_later() -> None:
    async with serving(drain_delay=seconds(0.3)) as front:
        front.stop()
        while not front.listening.reasons():
            await trio.lowlevel.checkpoint()
        assert (await front.say(GET_AND_CLOSE)).startswith(b"HTTP/1.1 200 ")
        await front.ended.wait()
        await refused(front)


async def test_a_restart_is_not_announced_and_comes_back_on_the_same_port() -> None:
    settings = Settings(bind=Bind("127.0.0.1:0"), drain_delay=seconds(60))
    listening, app = Listening(settings), app_of(SHOW, settings=settings)
    mailbox: Mailbox[Never] = Mailbox("front", 1)
    for _ in range(2):
        serves = trio.Event()
        inbox = Inbox(mailbox, serves.set)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Front(app, settings, listening).run, inbox)
            await serves.wait()
            port = int(listening.url.rpartition(":")[2])
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(GET_AND_CLOSE)
                assert (await rest_of(stream)).startswith(b"HTTP/1.1 200 ")
            inbox.end(Stop.FOR_NOW)
        assert listening.reasons() == ()
    assert listening.url == f"http://127.0.0.1:{port}"


def test_an_address_in_use_is_said_in_a_sentence() -> None:
    first = Listening(Settings(bind=Bind("127.0.0.1:0")))
    first.open()
    second = Listening(Settings(bind=Bind(first.url.removeprefix("http://"))))
    with pytest.raises(CannotListen, match=r"cannot listen on 127\.0\.0\.1:\d+: Address already in use"):
        second.open()
    first.close()
    second.open()
    second.close()


async def test_it_speaks_http_1_1_over_tls() -> None:
    trusted = ssl.create_default_context(cafile=str(PEM))
    trusted.set_alpn_protocols(["h2", "http/1.1"])
    async with serving(certfile=str(PEM), keyfile=str(PEM)) as front:
        stream = await trio.open_ssl_over_tcp_stream(
            "localhost", front.port, ssl_context=trusted, https_compatible=True
        )
        async with stream:
            await stream.send_all(GET_AND_CLOSE)
            received = b"".join([bytes(piece) async for piece in stream])
            assert stream.selected_alpn_protocol() == "http/1.1"
        assert received.startswith(b"HTTP/1.1 200 ")
        assert await front.say(GET_AND_CLOSE) == b""  # plain HTTP on a TLS port


async def test_a_missing_certificate_is_said_in_a_sentence() -> None:
    settings = Settings(bind=Bind("127.0.0.1:0"), certfile="/nowhere.pem", keyfile="/nowhere.key")
    listening = Listening(settings)
    assert listening.url.startswith("https://")
    inbox: Inbox[Never] = Inbox(Mailbox("front", 1))
    with pytest.raises(CannotListen, match="cannot read the TLS certificate"):
        await Front(app_of(SHOW), settings, listening).run(inbox)


async def refused(front: Running) -> None:
    """Wait until new connections are refused."""
    with trio.fail_after(2):
        while True:
            try:
                stream = await front.connect()
            except OSError:
                return
            await stream.aclose()
            await trio.lowlevel.checkpoint()
