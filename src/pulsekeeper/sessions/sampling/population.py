"""Who is there: made-up installations, each with its own habits, that are born, come back, and one day do not. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from random import Random
from uuid import UUID

from msgspec import Struct

_ZONES: Mapping[str, int] = {
    "Europe/Berlin": 30,
    "Europe/London": 18,
    "America/New_York": 18,
    "America/Los_Angeles": 14,
    "Asia/Kolkata": 10,
    "Asia/Tokyo": 6,
    "Australia/Sydney": 4,
}
_PLATFORMS: Mapping[str, int] = {"macos": 45, "windows": 35, "linux": 20}
_RELEASE_EVERY = 10
"""Days from one version to the next."""
_SATURDAY = 5


class Sample(Struct, frozen=True, kw_only=True):
    """Which history is made up. Two with the same four values are the same, and any others have no id in common."""

    seed: int
    until: date
    """The last day, in the zone of each installation."""
    days: int
    installations: int

    def day(self, number: int) -> date:
        """A day by its number, from 0 to `days - 1`."""
        return self.until - timedelta(days=self.days - 1 - number)

    def random(self, part: str) -> Random:
        """The chance that rules one part of the history, whatever was drawn for the others."""
        return Random(f"{self.seed} {self.until} {self.days} {self.installations} {part}")  # noqa: S311  # to repeat


class Installation(Struct, frozen=True, kw_only=True):
    """One of them, and what it will do. Days are numbers in the history."""

    id: UUID
    zone: str
    platform: str
    born: int
    """The day of its first session."""
    gone: int
    """The day from which on it does not come any more."""
    workday: float
    """How likely it comes on a day from Monday to Friday."""
    weekend: float
    withdraws: bool
    """Whether its last session is the one in which the user withdraws the consent."""
    patience: int
    """Days that it leaves a new version waiting."""
    clock_ahead: timedelta
    """What its clock is wrong by."""

    def comes(self, rng: Random, number: int, day: date) -> bool:
        """Whether it is there on a day."""
        if not self.born <= number < self.gone:
            return False
        is_expected = number == self.born or (self.withdraws and number == self.gone - 1)
        return is_expected or rng.random() < (self.weekend if day.weekday() >= _SATURDAY else self.workday)

    def ends_on(self, number: int) -> bool:
        """Whether this is the day on which its user withdraws the consent."""
        return self.withdraws and number == self.gone - 1

    def version(self, number: int) -> str:
        """What it runs on a day."""
        return f"1.{max(number - self.patience, 0) // _RELEASE_EVERY}.0"


def populate(sample: Sample) -> Sequence[Installation]:
    """All installations of a history: many in its first days, and fewer and fewer new ones."""
    rng = sample.random("population")
    return list(_installations(rng, sample))


def _installations(rng: Random, sample: Sample) -> Iterator[Installation]:
    for _ in range(sample.installations):
        born = int(sample.days * rng.random() ** 2)
        workday = rng.betavariate(2.0, 2.5)
        yield Installation(
            id=UUID(int=rng.getrandbits(128), version=4),
            zone=_pick(rng, _ZONES),
            platform=_pick(rng, _PLATFORMS),
            born=born,
            gone=born + _stay(rng),
            workday=workday,
            weekend=workday * rng.uniform(0.05, 0.5),
            withdraws=rng.random() < 0.02,
            patience=int(rng.expovariate(1 / 4)),
            clock_ahead=_error(rng),
        )


def _stay(rng: Random) -> int:
    """In days. Of three who try it one never comes back."""
    return 1 if rng.random() < 0.35 else 2 + int(rng.expovariate(1 / 40))


def _error(rng: Random) -> timedelta:
    """Most clocks are right to the second, some are minutes off."""
    return timedelta(seconds=rng.gauss(0, 0.4) if rng.random() < 0.8 else rng.gauss(0, 240))


def _pick(rng: Random, weights: Mapping[str, int]) -> str:
    return rng.choices([*weights], [*weights.values()])[0]
