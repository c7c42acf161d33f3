"""An expression, compiled, and the values that it is held against."""

import cel

from pulsekeeper.decisions.rules.expressions.grammar import OPEN, VARIABLES, faults, is_panic, looked_at


class Expression:
    """A compiled expression."""

    def __init__(self, source: str) -> None:
        """Compile `source`. Raises `ValueError` with every fault, one a line."""
        if found := faults(source):
            raise ValueError("\n".join(found))
        self._program = cel.compile(source)
        names = VARIABLES.keys() & self._program.references()["variables"]
        self.paths = looked_at(source, names)
        """What it looks at: `visits.today`, `flags`. Giving CEL a value costs more than most expressions do."""
        self.is_repeatable = self.paths.isdisjoint({OPEN, "now"})
        """Whether the few values that it looks at are often the same for many people."""

    def holds(self, context: cel.Context | None) -> bool | None:
        """Whether it gives `true`; `None` where it fails, or gives neither true nor false.

        A failure shows nothing, as false does: what is not certain is not shown. It is told apart to be counted.
        """
        if context is None:
            return None
        try:
            value = self._program.execute(context)
        except Exception:  # the library raises whatever fits: KeyError, ZeroDivisionError, RuntimeError…
            return None
        except BaseException as error:
            if is_panic(error):
                return None
            raise
        return value if isinstance(value, bool) else None


def context(variables: dict[str, object]) -> cel.Context | None:
    """The values of the variables, to be shared by all expressions of one decision; `None` if CEL cannot hold them."""
    try:
        return cel.Context(variables=variables)
    except (ValueError, TypeError, OverflowError):
        return None
