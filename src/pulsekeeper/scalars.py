"""Scalars that are written as text and read themselves: a duration that people can write, a secret that nobody sees."""

import re
from datetime import timedelta
from typing import ClassVar, Protocol, Self, TypeGuard

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}  # weeks in ISO 8601 only
_WHOLE = {"d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000}
_SHORT = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_ISO = re.compile(
    r"P(?:(?P<w>\d+)W)?(?:(?P<d>\d+)D)?(?:T(?=\d)(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?"
)
_LONGEST = timedelta(days=36525)


class Written(Protocol):
    """What a class needs to be understood wherever input is read: requests, configuration files and the environment."""

    EXPECTED: ClassVar[str]
    """What is expected in its place, for the sentence "expected …"."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what was written. Raises `ValueError` with a sentence, which repeats nothing if this is a secret."""


def is_written(to: object) -> TypeGuard[type[Written]]:
    """Whether `to` is a class whose values are written as text and read by themselves."""
    return isinstance(to, type) and hasattr(to, "parse") and isinstance(getattr(to, "EXPECTED", None), str)


class Duration(timedelta):
    """A length of time, written `80ms`, `30s`, `10m`, `24h`, `180d`, `1h30m`, or in ISO 8601 (`P1D`) up to weeks."""

    EXPECTED: ClassVar[str] = "a duration such as '80ms', '30s', '24h' or '7d'"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a duration. Raises `ValueError` with a sentence when it is none, or is longer than a century."""
        seconds = _iso_seconds(text) if text.startswith("P") else _short_seconds(text)
        if seconds is None:
            raise ValueError(
                f"expected a duration such as '80ms', '30s', '10m', '24h', '7d' or 'P1D', got {text[:40]!r}"
            )
        if seconds > _LONGEST.total_seconds():
            raise ValueError("expected a duration of at most 36525 days")
        return cls(seconds=seconds)

    def __str__(self) -> str:
        microseconds = self // timedelta(microseconds=1)
        if microseconds == 0:
            return "0s"
        for unit, size in _WHOLE.items():
            if microseconds >= size and microseconds % size == 0:
                return f"{microseconds // size}{unit}"
        return f"{microseconds / 1000:.3f}".rstrip("0").rstrip(".") + "ms"


class Secret:
    """A string that does not show itself in logs, errors, `repr` or printed configuration."""

    EXPECTED: ClassVar[str] = "a string"
    __slots__ = ("_value",)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Any text is one. A secret that has to look like something says so in a class of its own."""
        return cls(text)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself. Compare it with `hmac.compare_digest`, never with `==`."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret('•••')" if self._value else "Secret('')"

    __str__ = __repr__


def _short_seconds(text: str) -> float | None:
    if not text or _SHORT.sub("", text):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _SHORT.findall(text))


def _iso_seconds(text: str) -> float | None:
    match = _ISO.fullmatch(text)
    if match is None or not any(match.groupdict().values()):
        return None
    return sum(float(number) * _UNITS[unit] for unit, number in match.groupdict().items() if number)
