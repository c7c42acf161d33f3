"""Nothing that an expression says may take long."""

import time

import pytest

from pulsekeeper.decisions.rules.expressions import compiled
from pulsekeeper.decisions.rules.expressions.compiled import Expression
from pulsekeeper.decisions.rules.expressions.grammar import faults


@pytest.mark.parametrize(
    "source",
    [
        "flags.exists(f, flags.exists(g, f == g))",
        "flags.filter(f, true).exists(f, flags.all(g, f == g))",
        "flags.map(f, f + f).size() > 0",
        "[release + release].exists(x, x == x)",
        "(flags).exists(f, true)",
        "attributes['tags'].exists(t, true)",
        " || ".join(["flags.exists(f, true)"] * 3),
        f"flags.exists(f, {'+'.join(['f'] * 40)} == release)",
        "flags // all of them\n.exists(f, true)",
        r'"\"" == release',
        '"""a""" == release',
    ],
)
def test_what_could_be_slow_or_hide_something_is_refused(source: str) -> None:
    assert faults(source)


@pytest.mark.parametrize(
    "source",
    [
        f"flags.exists(f, {'+'.join(['f'] * 27)} == release) || flags.exists(f, {'+'.join(['f'] * 27)} == release)",
        "+".join(["attributes.text"] * 60) + " == release",
        " || ".join(["release in attributes.long"] * 35),
        "(" * 90 + "true" + ")" * 90,
        "!" * 1000 + "false",
        "-" * 1000 + "1 == 2",
    ],
)
def test_the_worst_that_is_allowed_takes_milliseconds(source: str) -> None:
    """The bound is generous, because machines differ; what is refused above takes tenths of seconds and more."""
    long = tuple("x" * 255 + str(number % 10) for number in range(64))
    context = compiled.context(
        {
            "release": "2025.10.1",
            "flags": tuple("y" * 62 + f"{n:02}" for n in range(64)),
            "attributes": {"text": "z" * 256, "long": long},
        }
    )
    expression = Expression(source)
    started = time.perf_counter()
    expression.holds(context)
    assert time.perf_counter() - started < 0.1
