"""The two ways to end a node: in order, and at once."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
import trio

from tests.house.parts import Answer, ask, crowd, tree_of
from tests.support.postgres import ServerProcess
from tests.support.service import Service, running_service, starting_service
from tests.support.waiting import eventually

PATIENT = {"decisions__budget": "1m", "decisions__patience": "1m"}
"""A page waits for its decision for longer than any test takes."""
LEAVING = "the service is shutting down"


class Waiting:
    """Pages whose answers cannot be committed yet."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.lost = 0

    async def page(self, client: httpx.AsyncClient, visitor_id: str) -> None:
        """Ask once."""
        try:
            self.answers.append(await ask(client, visitor_id))
        except httpx.TransportError:
            self.lost += 1


@asynccontextmanager
async def requests_in_flight(client: httpx.AsyncClient, number: int) -> AsyncIterator[Waiting]:
    """The database hangs: one decision is in hand, the others wait for it. All are done when the block ends."""
    waiting = Waiting()
    first, *others = crowd(number)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waiting.page, client, first)
        await eventually(lambda: _has_mail(client, 0))
        for visitor_id in others:
            nursery.start_soon(waiting.page, client, visitor_id)
        await eventually(lambda: _has_mail(client, len(others)))
        yield waiting


async def _has_mail(client: httpx.AsyncClient, depth: int) -> bool:
    decider = (await tree_of(client))["minds/decider"]
    return decider.busy_seconds > 0 and decider.mailbox_depth == depth


async def until_leaving(client: httpx.AsyncClient) -> None:
    """Return when the node says that no request should be sent to it."""

    async def fact() -> bool:
        ready = await client.get("/readyz")
        return ready.status_code == 503 and ready.json()["reasons"] == [LEAVING]

    await eventually(fact)


async def until_closed(service: Service) -> None:
    """Return when the node takes no new connection."""

    async def fact() -> bool:
        try:
            stream = await trio.open_tcp_stream("127.0.0.1", service.port)
        except OSError:
            return True
        await stream.aclose()
        return False

    await eventually(fact)


@pytest.mark.parametrize("send", [Service.terminate, Service.interrupt])
async def test_a_signal_lets_requests_in_flight_finish_and_takes_no_more(
    send: Callable[[Service], None], fragile_server: ServerProcess
) -> None:
    with running_service(fragile_server.url, **PATIENT, web__drain_delay="300ms") as service:
        async with service.client() as client:
            await ask(client, "visitor-before")
            fragile_server.pause()
            async with requests_in_flight(client, 20) as waiting:
                send(service)
                await until_leaving(client)
                await until_closed(service)
                assert waiting.answers == []
                fragile_server.resume()
        assert await service.wait() == 0
        log = service.log()

    assert waiting.lost == 0
    assert len([answer for answer in waiting.answers if answer.committed]) == 20
    assert "Traceback" not in log
    assert '"event": "stopped"' in log


async def test_a_second_signal_ends_it_at_once(fragile_server: ServerProcess) -> None:
    with running_service(fragile_server.url, **PATIENT, web__drain_delay="60s", shutdown__grace="2m") as service:
        async with service.client() as client:
            await ask(client, "visitor-before")
            fragile_server.pause()
            async with requests_in_flight(client, 2) as waiting:
                service.terminate()
                await until_leaving(client)
                service.terminate()
                with trio.fail_after(5):
                    assert await service.wait() == 130
        assert '"event": "interrupted"' in service.log()

    assert (len(waiting.answers), waiting.lost) == (0, 2)


async def test_requests_that_outlast_the_grace_are_cut_off(fragile_server: ServerProcess) -> None:
    with running_service(fragile_server.url, **PATIENT, shutdown__grace="500ms") as service:
        async with service.client() as client:
            await ask(client, "visitor-before")
            fragile_server.pause()
            async with requests_in_flight(client, 2) as waiting:
                service.terminate()
                with trio.fail_after(5):
                    assert await service.wait() == 1
        assert service.log().endswith("pulsekeeper: the service did not end within 500ms\n")

    assert (len(waiting.answers), waiting.lost) == (0, 2)


async def test_it_can_be_stopped_while_it_waits_for_its_database(fragile_server: ServerProcess) -> None:
    fragile_server.kill()
    with starting_service(fragile_server.url) as service:
        assert service.port
        service.terminate()
        assert await service.wait() == 0
