"""What a decision itself costs, without any waiting: the rules, and the rules with all that is encoded around them."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter

import msgspec
import trio

from benchmarks import examples
from benchmarks.measuring import Case, Column, Experiment, Opened, Plan, Sample, repeat
from pulsekeeper.decisions.records import NOBODY, Stored
from pulsekeeper.decisions.rules.book import RuleBook, compile_book
from pulsekeeper.decisions.rules.deciding import decide
from pulsekeeper.decisions.rules.model import Settings, VisitorState
from pulsekeeper.decisions.rules.people import Person, anonymous_key
from pulsekeeper.decisions.turns import Wish, take_turn

_PAUSE = 0.002
"""Seconds."""
_BLOCK = 50
"""Decisions that are timed together, so that looking at the clock does not count."""
_REQUEST = examples.request("visitor-0001")
_PERSON = Person(
    key=anonymous_key("visitor", "visitor-0001", environment="benchmark", salt=b"benchmark"), kind="visitor"
)


@asynccontextmanager
async def open_stage(plan: Plan) -> AsyncIterator[Opened]:
    """Needs nothing."""
    yield Opened(
        experiments=[
            Experiment(
                title="decisions, pure",
                about=(
                    f"One process, nothing stored, one decision a call; times are means of {_BLOCK} in a row. "
                    "`in turn` also decodes the state and encodes the new one, the reply and the log row. `after a "
                    f"pause` is the same, one at a time, each after {_PAUSE * 1000:.0f} ms in which none of it ran: "
                    "what the caches of the processor have lost meanwhile has to come from memory. A node under little "
                    "load is nearer to this row, one that decides whole batches nearer to the one above."
                ),
                labels=("what", "campaigns", "visitor"),
                columns=(
                    Column(name="p50", title="p50 µs", factor=1e6, digits=1),
                    Column(name="p99", title="p99 µs", factor=1e6, digits=1),
                    Column(name="per_second", title="per second"),
                ),
                cases=list(_cases(plan.campaigns)),
            )
        ]
    )


def _cases(sizes: Sequence[int]) -> Iterator[Case]:
    for size in sizes:
        book = compile_book(examples.campaigns(size), examples.RELEASES, Settings().policy())
        for name, state in (("known", examples.regular()), ("unknown", None)):
            in_turn = _in_turn(book, state)
            for what, call in (("rules.decide", _deciding(book, state)), ("in turn", in_turn)):
                yield Case(labels=(what, str(size), name), measure=partial(_repeat, call))
            yield Case(labels=("in turn, after a pause", str(size), name), measure=partial(_repeat_cold, in_turn))


def _deciding(book: RuleBook, state: VisitorState | None) -> Callable[[], object]:
    return partial(decide, book, _PERSON, state, _REQUEST, examples.NOW)


def _in_turn(book: RuleBook, state: VisitorState | None) -> Callable[[], object]:
    stored = NOBODY if state is None else Stored(state.version, msgspec.json.encode(state), state.last_seen_at)
    wish = Wish(person=_PERSON, what=_REQUEST)
    return partial(take_turn, book, stored, [wish], {}, examples.NOW)


async def _repeat(call: Callable[[], object], seconds: float) -> Sample:
    async def block() -> None:
        for _ in range(_BLOCK):
            call()
        await trio.lowlevel.checkpoint()  # or nothing could interrupt a run

    return await repeat(block, seconds, calls=_BLOCK)


async def _repeat_cold(call: Callable[[], object], seconds: float) -> Sample:
    """Time each call alone, and pause before it."""
    times: list[float] = []
    start = perf_counter()
    while not times or perf_counter() < start + seconds:
        await trio.sleep(_PAUSE)
        before = perf_counter()
        call()
        times.append(perf_counter() - before)
    return Sample(calls=len(times), elapsed=sum(times), latencies=times)
