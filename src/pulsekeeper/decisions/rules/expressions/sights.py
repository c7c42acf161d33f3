"""What expressions see of one call, and what they said of it: giving CEL its values costs ten times the evaluation.

So whatever sees the same again says the same again, from memory. People differ in more than expressions usually ask.
"""

from collections.abc import Iterable, Mapping

import cel

from pulsekeeper.decisions.rules.expressions.compiled import Expression, context
from pulsekeeper.decisions.rules.expressions.grammar import OPEN

MISSING = object()
"""The value of a member that is not there."""
MOST_ANSWERS = 100_000
"""In the memory of one rule book: expressions, times the different things that they have seen."""
MOST_TEXT = 16_000_000
"""Characters in all that is remembered to have been seen: a single client may show 16,000 at a time."""
_PER_TEXT = 64
"""Characters that a text counts for by being one."""


class Sight:
    """Some values, and what expressions made of them."""

    __slots__ = ("_answers", "_context", "_values")

    def __init__(self, values: Mapping[str, object]) -> None:
        """The values by their paths, such as `visits.today`."""
        self._values = values
        self._context: cel.Context | None = None
        self._answers: dict[Expression, bool | None] = {}

    def holds(self, expression: Expression) -> bool | None:
        """What `Expression.holds` says."""
        try:
            return self._answers[expression]
        except KeyError:
            answer = self._answers[expression] = expression.holds(self._in_cel())
            return answer

    def rest(self) -> None:
        """Let go of what CEL holds, which takes several times as much memory as the rest; nobody looks for now."""
        self._context = None

    def _in_cel(self) -> cel.Context | None:
        shown = self._context
        if shown is None:
            shown = self._context = context(_variables(self._values))
        return shown


class Sights:
    """The sights of a group of expressions: of as much as any of them looks at."""

    def __init__(self, expressions: Iterable[Expression]) -> None:
        group = set(expressions)
        paths = frozenset[str]().union(*(each.paths for each in group))
        self.paths = tuple(sorted(path for path in paths if not (OPEN in paths and path.startswith(f"{OPEN}."))))
        self._has_open = any(path.startswith(f"{OPEN}.") for path in self.paths)
        self._is_repeatable = all(each.is_repeatable for each in group)
        self._bound = max(MOST_ANSWERS // max(len(group), 1), 16)
        self._known: dict[tuple[object, ...], Sight] = {}
        self._text = 0
        self._latest = Sight({})

    def of(self, values: tuple[object, ...]) -> Sight:
        """The sight of the values of `paths`."""
        if not self._is_repeatable:
            return Sight(dict(zip(self.paths, values, strict=True)))
        key = tuple(map(_told_apart, values)) if self._has_open else values  # the others have one type each
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._first_sight(values)
        if known is not self._latest:
            self._latest.rest()
            self._latest = known
        return known

    def _first_sight(self, values: tuple[object, ...]) -> Sight:
        """Something new, for which there is room from now on."""
        text = sum(map(_text_in, values))
        if len(self._known) >= self._bound or self._text + text > MOST_TEXT:
            self._known.clear()
            self._text = 0
        self._text += text
        return Sight(dict(zip(self.paths, values, strict=True)))


def _told_apart(value: object) -> object:
    """To Python 1, 1.0 and True are equal, and so are 0.0 and -0.0; to CEL they are not. Nor is a number its text."""
    if isinstance(value, float):
        return float, repr(value)
    return (type(value), value) if isinstance(value, int) else value


def _text_in(value: object) -> int:
    texts = value if isinstance(value, tuple) else (value,)
    return sum(len(each) + _PER_TEXT for each in texts if isinstance(each, str))


def _variables(values: Mapping[str, object]) -> dict[str, object]:
    variables: dict[str, object] = {}
    for path, value in values.items():
        variable, _, member = path.partition(".")
        if not member:
            variables[variable] = value
            continue
        members = variables.setdefault(variable, {})
        if value is not MISSING and isinstance(members, dict):
            members[member] = value
    return variables
