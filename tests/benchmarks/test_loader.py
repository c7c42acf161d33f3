"""The loaders against a small server that stalls now and then: one of them cannot see it."""

import itertools
import time
from math import inf

import pytest
import trio

from benchmarks.loader import closed_loop, open_loop
from benchmarks.measuring import Sample
from benchmarks.wires import Address
from tests.benchmarks.small_server import OK, Answer, always, server

_GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
_STALL = 0.2
_EVERY = 0.5
"""Seconds: how long the server stalls, and how much time lies between the beginnings of stalls."""


def stalling() -> Answer:
    """Everybody who asks in the first 200 ms of each half second waits until these are over."""
    start = time.monotonic()

    def answer(_number: int) -> bytes:
        time.sleep(max(_STALL - (time.monotonic() - start) % _EVERY, 0))
        return OK

    return answer


async def ask_closed(address: Address, seconds: float = 0.1, connections: int = 2, expected: bytes = b"") -> Sample:
    requests = itertools.repeat(_GET)
    return await closed_loop(address, requests, connections=connections, seconds=seconds, expected=expected)


async def ask_open(address: Address, rate: float, seconds: float, connections: int = 64) -> Sample:
    return await open_loop(address, itertools.repeat(_GET), rate=rate, seconds=seconds, connections=connections)


async def test_the_closed_loop_hides_a_stall_that_the_open_loop_shows() -> None:
    """Two fifths of those who come by a schedule come in a stall; of those who wait for each other, hardly anybody."""
    with server(stalling()) as address:
        closed = (await ask_closed(address, seconds=1)).numbers()
        opened = (await ask_open(address, rate=200, seconds=1)).numbers()

    assert closed["p90"] < 0.05
    assert closed["max"] > 0.1
    assert opened["p90"] > 0.08
    assert 0.15 < opened["max"] < 1
    assert opened["dropped"] == opened["unanswered"] == opened["errors"] == 0


async def test_who_waits_for_a_connection_has_waited_since_they_were_due() -> None:
    """One connection, and answers that take longer than the time between two requests."""

    def slow(_number: int) -> bytes:
        time.sleep(0.02)
        return OK

    with server(slow) as address:
        sample = await ask_open(address, rate=100, seconds=0.5, connections=1)

    latencies = list(sample.latencies)
    assert sample.calls == len(latencies) == 50
    assert latencies[-1] > 0.4
    assert sorted(latencies) == pytest.approx(latencies, abs=0.05)


async def test_an_open_loop_keeps_its_rate_and_says_how_late_it_was() -> None:
    with server(always()) as address:
        sample = await ask_open(address, rate=400, seconds=0.5)

    numbers = sample.numbers()
    assert sample.calls == 200
    assert numbers["offered"] == 400
    assert numbers["per_second"] == pytest.approx(400, rel=0.3)
    assert 0 <= numbers["late_p99"] <= numbers["late_max"] < 0.5
    assert 0 < numbers["loader"] < 1.5


async def test_an_open_loop_opens_no_more_connections_than_it_has_requests() -> None:
    with server(always()) as address:
        sample = await ask_open(address, rate=40, seconds=0.1, connections=64)

    assert sample.extra["asked"] == 2 * 4  # the first on each is none of the round's


async def test_what_is_no_success_or_has_not_the_expected_words_is_an_error() -> None:
    def now_and_then(number: int) -> bytes:
        return OK.replace(b"200 OK", b"503 No") if number % 2 else OK

    with server(now_and_then) as address:
        half = await ask_closed(address, connections=1)
    with server(always()) as address:
        none, every = await ask_closed(address, expected=b"ok"), await ask_closed(address, expected=b"other")

    assert half.extra["errors"] == pytest.approx(half.calls / 2, abs=1)
    assert none.extra["errors"] == 0
    assert every.extra["errors"] == every.calls > 0


async def test_connections_that_the_server_closes_are_opened_again() -> None:
    with server(always(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))) as address:
        closed = await ask_closed(address)
        opened = await ask_open(address, rate=100, seconds=0.2, connections=4)

    assert closed.extra["errors"] == 0
    assert closed.calls > 1
    assert opened.extra["errors"] == 0
    assert opened.calls == 20


async def test_a_connection_that_ends_without_an_answer_has_taken_for_ever() -> None:
    with server(lambda number: OK if number == 0 else b"close") as address:
        sample = await ask_closed(address, connections=1)

    assert sample.extra["errors"] > 0
    assert max(sample.latencies) == inf


async def test_connections_are_dealt_over_all_servers() -> None:
    asked = [0, 0]

    def counting(place: int) -> Answer:
        def answer(_number: int) -> bytes:
            asked[place] += 1
            return OK

        return answer

    with server(counting(0)) as first, server(counting(1)) as second:
        await closed_loop(first, itertools.repeat(_GET), connections=4, seconds=0.1, others=[second])

    assert min(asked) > 2


async def test_requests_that_are_over_end_a_round() -> None:
    with server(always()) as address:
        sample = await closed_loop(address, iter([_GET] * 10), connections=2, seconds=30)

    assert sample.extra["asked"] == sample.extra["kept"] == 10
    assert sample.calls == 8


async def test_a_loader_that_is_cancelled_stops() -> None:
    with server(always()) as address, trio.move_on_after(0.2) as scope:
        await ask_closed(address, seconds=30)

    assert scope.cancelled_caught


async def test_a_server_that_is_not_there_is_said_at_once() -> None:
    with server(always()) as address:
        pass
    with pytest.raises(OSError, match="refused"):
        await ask_closed(address)
