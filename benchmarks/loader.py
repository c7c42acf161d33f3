"""Asks servers as fast as they answer, or at the moments of a schedule that was made before.

*Closed loop* (`closed_loop`): a connection asks again when it has its answer. It shows what a server can do at most,
but says little about waiting: while a server stalls, nobody asks it, and so hardly anybody is seen to wait.

*Open loop* (`open_loop`): requests are due at a constant rate, whatever the server does, as they are where many people
come who know nothing of each other. A latency counts from the moment at which its request was due, also when all
connections were busy or the loader was late, so a stall is felt by everybody who came in the course of it.

Both run in a thread of a process that does nothing else meanwhile, and say how much of a core that takes.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from time import perf_counter, process_time

import trio

from benchmarks.measuring import Sample
from benchmarks.schedule import Arrivals
from benchmarks.tallies import Tally
from benchmarks.wires import Address, Wire, Wires

_PATIENCE = 15.0
"""Seconds for the first answers, and after the end of a round for those that are still due."""
_GLANCE = 0.1
"""Seconds after which a loader looks up at the latest, to see whether it is to stop."""


async def closed_loop(
    address: Address,
    requests: Iterator[bytes],
    *,
    connections: int,
    seconds: float,
    expected: bytes = b"",
    others: Sequence[Address] = (),
) -> Sample:
    """Keep so many connections busy until the time or the requests are over. The first answer on each does not count.

    `others` are further servers, over which the connections are dealt evenly. An answer that is no success, or has not
    the `expected` words in its body, counts as an error. Raises `OSError` when a server cannot be reached any more, and
    `trio.TooSlowError` when it has stopped answering.
    """
    tally = Tally(expected)
    run = partial(_keep_asking, requests=requests, tally=tally, seconds=seconds)
    with trio.fail_after(seconds + 2 * _PATIENCE):
        return await _in_thread(partial(_load, [address, *others], connections, requests, tally, run))


async def open_loop(
    address: Address,
    requests: Iterator[bytes],
    *,
    rate: float,
    seconds: float,
    connections: int,
    expected: bytes = b"",
    others: Sequence[Address] = (),
) -> Sample:
    """Ask at a constant `rate`, requests a second, over at most so many connections, and no more than requests.

    A request that finds all connections busy waits for one, a second's worth of requests at most: further ones are
    dropped. What was dropped, or is not answered some time after the end, counts as having taken for ever. Otherwise
    the same as `closed_loop`; further figures are those of `Arrivals`.
    """
    tally = Tally(expected)
    arrivals = Arrivals(rate, seconds)
    run = partial(_keep_schedule, requests=requests, tally=tally, arrivals=arrivals)
    most = min(connections, arrivals.count)
    with trio.fail_after(seconds + 3 * _PATIENCE):
        return await _in_thread(partial(_load, [address, *others], most, requests, tally, run))


async def _in_thread(work: Callable[[], Sample]) -> Sample:
    """A cancelled loader looks up soon and stops."""
    return await trio.to_thread.run_sync(work)


def _load(
    addresses: Sequence[Address],
    connections: int,
    requests: Iterator[bytes],
    tally: Tally,
    run: Callable[[Wires], None],
) -> Sample:
    with Wires(addresses, connections) as wires, _undisturbed():
        _be_accepted(wires, requests, tally)
        start, cpu = perf_counter(), process_time()
        run(wires)
        elapsed = perf_counter() - start
        return tally.sample(elapsed, (process_time() - cpu) / elapsed)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """The collector of this process would make it late; what a round leaves behind has no cycles."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _be_accepted(wires: Wires, requests: Iterator[bytes], tally: Tally) -> None:
    """A connection that the server has not accepted yet would measure a queue in the kernel."""
    asked = set[Wire]()
    for wire, request in zip(wires.all, requests, strict=False):
        wire.send(request)
        asked.add(wire)
    while asked:
        trio.from_thread.check_cancelled()
        for wire, response in wires.answers(_GLANCE):
            asked.discard(wire)
            tally.note_first(response)


def _keep_asking(wires: Wires, *, requests: Iterator[bytes], tally: Tally, seconds: float) -> None:
    begun: dict[Wire, float] = {}
    end = perf_counter() + seconds

    def ask(wire: Wire) -> None:
        request = next(requests, None) if perf_counter() < end else None
        if request is not None:
            begun[wire] = perf_counter()
            wire.send(request)

    for wire in wires.all:
        ask(wire)
    while begun:
        trio.from_thread.check_cancelled()
        for wire, response in wires.answers(_GLANCE):
            since = begun.pop(wire, None)
            if since is not None:  # or an idle connection has been closed
                tally.note(perf_counter() - since, response)
                ask(wire)


def _keep_schedule(wires: Wires, *, requests: Iterator[bytes], tally: Tally, arrivals: Arrivals) -> None:
    """Whoever is due is sent as soon as a connection is free; answers are taken in between."""
    idle, asked = list(wires.all), dict[Wire, float]()
    arrivals.begin(perf_counter())
    while (now := perf_counter()) < arrivals.end and (asked or not arrivals.over):
        trio.from_thread.check_cancelled()
        arrivals.notice(now)
        while idle and arrivals.waiting:
            wire = idle.pop()
            asked[wire] = arrivals.waiting.popleft()
            wire.send(next(requests))
        for wire, response in wires.answers(min(arrivals.next_in(perf_counter()), _GLANCE)):
            since = asked.pop(wire, None)
            if since is not None:
                tally.note(perf_counter() - since, response)
                idle.append(wire)
    tally.note_schedule(arrivals, unanswered=len(asked) + len(arrivals.waiting))
