"""What a decision itself costs, without any waiting: the rules, and the rules with all that is encoded around them."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

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
                    "`in turn` also decodes the state and encodes the new one, the reply and the log row."
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
            for what, call in (("rules.decide", _deciding(book, state)), ("in turn", _in_turn(book, state))):
                yield Case(labels=(what, str(size), name), measure=partial(_repeat, call))


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
