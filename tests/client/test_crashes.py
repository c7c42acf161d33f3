"""`kill -9` of the program that embeds the client: what `event` has returned for is stored, once."""

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.client.hosts import host, safe_at_the_end, safe_until_killed, safe_when_killed
from tests.client.little_service import LittleService, Trouble, little_service, until


def numbers(service: LittleService) -> Counter[int]:
    """Of the events that the service has."""
    return Counter(event["props"]["number"] for event in service.stored.values())


def test_every_event_survives_its_program(tmp_path: Path) -> None:
    """Four lives, each ended in the middle of everything, with a service that forgets to answer now and then."""
    safe: list[int] = []
    with little_service() as service:
        for life in range(4):
            service.trouble("ingest", Trouble(hang_up=True, done_first=True), Trouble(status=500))
            safe += safe_until_killed(service.url, tmp_path, 100_000 * life, 150)
        safe += safe_at_the_end(service.url, tmp_path, 400_000, 10)
        stored = numbers(service)
    assert len(safe) >= 610
    assert set(safe) <= set(stored)
    assert set(stored.values()) == {1}


def test_programs_that_share_a_folder_and_are_killed_together_lose_nothing(tmp_path: Path) -> None:
    """Nobody was there to hear them: all of it is in the folder, and is sent by the one program that comes after."""
    with ExitStack() as stack:
        programs = [stack.enter_context(host("http://127.0.0.1:9", tmp_path, 100_000 * each)) for each in range(3)]
        assert len(list(tmp_path.glob("queue-*.db"))) == 3
        safe = [number for program in programs for number in safe_when_killed(program, 100)]
    with little_service() as service, host(service.url, tmp_path, 400_000, 1):
        until(lambda: set(safe) <= set(numbers(service)))
        assert set(numbers(service).values()) == {1}
