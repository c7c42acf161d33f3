"""The task that does the work, on trio, and on asyncio in another process."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from pulsekeeper.client import AsyncTelemetry
from tests.client.little_service import LittleService, Trouble, little_service, problem
from tests.support.waiting import eventually

PROGRAM = Path(__file__).parent / "async_program.py"


@pytest.fixture
def service() -> Iterator[LittleService]:
    """One of its own for each test."""
    with little_service() as service:
        yield service


def client(service: LittleService, folder: Path | None = None, **options: Any) -> AsyncTelemetry:
    """One that is never in doubt for long."""
    chosen: dict[str, Any] = {"consent": True, "delay": 0.01, "jitter": lambda top: min(top, 0.01)} | options
    return AsyncTelemetry(service.url, folder=folder, **chosen)


async def until(fact: Callable[[], object]) -> None:
    """Return when it has become true."""

    async def asked() -> bool:
        return bool(fact())

    await eventually(asked)


async def test_a_session_from_start_to_end(service: LittleService, tmp_path: Path) -> None:
    async with client(service, tmp_path) as t:
        t.event("one")
        await until(lambda: t.stats.acknowledged == 1)
        assert t.session_id is not None
        t.event("two")
    assert service.calls == ["start-session", "ingest", "ingest", "end-session"]
    assert service.names() == ["one", "two"]


async def test_no_trouble_loses_an_event_or_stores_one_twice(service: LittleService) -> None:
    service.trouble("start-session", Trouble(status=500), Trouble(hang_up=True))
    service.trouble(
        "ingest",
        Trouble(hang_up=True),
        Trouble(hang_up=True, done_first=True),
        Trouble(status=503, headers={"Retry-After": "0"}),
        Trouble(status=200, body=b"x" * 3_000_000),
        problem(401, "token_expired"),
    )
    async with client(service) as t:
        for number in range(20):
            t.event("something", number=number)
        await until(lambda: t.stats.queued == 0)
    assert len(service.stored) == 20
    assert t.stats.acknowledged + t.stats.duplicates == 20


async def test_a_program_that_is_cancelled_still_ends_its_session(service: LittleService) -> None:
    with trio.CancelScope() as scope:
        async with client(service, delay=60) as t:
            await until(lambda: t.session_id)
            t.event("something")
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert service.names() == ["something"]
    assert service.calls[-1] == "end-session"


async def test_a_service_that_is_slow_does_not_keep_the_program(service: LittleService) -> None:
    service.trouble("start-session", Trouble(seconds=3))
    before = trio.current_time()
    async with client(service, patience=0.1):
        await until(lambda: service.calls)
    assert trio.current_time() - before < 2


async def test_the_errors_of_a_program_are_its_own(service: LittleService) -> None:
    with pytest.raises(ValueError, match="its own"):
        async with client(service):
            raise ValueError("its own")


async def test_a_withdrawal_is_told(service: LittleService, tmp_path: Path) -> None:
    async with client(service, tmp_path, delay=60) as t:
        await until(lambda: t.session_id)
        t.event("forgotten")
        t.withdraw(erase=True)
        await until(lambda: "withdraw" in service.calls)
        assert t.stopped == "consent_withdrawn"
    assert service.stored == {}


async def test_without_consent_nothing_is_sent(service: LittleService) -> None:
    async with client(service, consent=False) as t:
        t.event("ignored")
    assert service.calls == []


async def test_it_works_on_asyncio(service: LittleService, tmp_path: Path) -> None:
    program = await trio.run_process(
        [sys.executable, "-W", "error", str(PROGRAM), service.url, str(tmp_path)],
        capture_stdout=True,
        capture_stderr=True,
    )
    assert program.stdout.decode().split("\n") == ["cancelled", "its own", ""]
    assert program.stderr == b""
    assert len(service.stored) == 701
    assert service.count("end-session") == service.count("start-session")


def test_importing_the_client_is_light() -> None:
    """Neither the HTTP client nor an event loop nor the rest of the package is loaded before it is needed."""
    script = "import sys; from pulsekeeper.client import Telemetry; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout.decode().split()
    )
    assert not loaded & {"httpx", "anyio", "asyncio", "trio", "quart", "asyncpg"}
    assert all(
        name.startswith("pulsekeeper.client.")
        for name in loaded
        if name.startswith("pulsekeeper.") and name != "pulsekeeper.client"
    )
