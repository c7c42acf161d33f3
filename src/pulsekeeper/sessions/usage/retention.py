"""Who came back: of the installations that were active in a day or week, how many were again so many later.

Each bucket's installations are the bits of one integer, so that comparing two buckets is one `&` and one `bit_count`,
however many installations there are.
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from msgspec import Struct

MOST_COLUMNS = 31
"""The bucket itself, and up to 30 after it."""


class Presence(NamedTuple):
    """The buckets in which an installation was active."""

    places: str
    """A `1` for each bucket in which it was, and a `0` for each in which it was not."""
    first: int
    """The one in which it was active for the first time ever, from 0; none of them where that was before."""


class Activity(NamedTuple):
    """Sets of installations, bucket by bucket."""

    active: Sequence[int]
    """Who was active in it; installations are bits."""
    first: Sequence[int]
    """Who was active in it for the first time ever."""
    people: int
    """How many installations were active at all."""


class Cohort(Struct, frozen=True, kw_only=True, rename="camel"):
    """Installations that were active in the same bucket, and how many of them were again later."""

    start: date
    """The first day of the bucket."""
    size: int
    active: tuple[int, ...]
    """How many of them were active in column n, the n-th bucket after theirs: the first number is the size."""
    complete: bool
    """False when the last column is of a bucket that is not over yet."""


def activity_of(presences: Sequence[Presence], buckets: int) -> Activity:
    """Turn each installation's buckets into each bucket's installations."""
    cells = "".join(presence.places for presence in presences)
    first: list[list[int]] = [[] for _ in range(buckets)]
    for number, presence in enumerate(presences):
        if 0 <= presence.first < buckets and presence.places[presence.first] == "1":
            first[presence.first].append(number)
    return Activity(
        [_set(cells[place::buckets]) for place in range(buckets)],
        [_bits(each, len(presences)) for each in first],
        len(presences),
    )


def cohorts(members: Sequence[int], active: Sequence[int], starts: Sequence[date], over: int) -> tuple[Cohort, ...]:
    """A cohort for each of the sets `members`, followed through the sets `active`, all of them by bucket.

    Buckets that have not begun are to be left out of both, for nobody is missing from them; the first `over` are over.
    """
    return tuple(
        Cohort(
            start=starts[place],
            size=cohort.bit_count(),
            active=tuple((cohort & later).bit_count() for later in active[place : place + MOST_COLUMNS]),
            complete=min(place + MOST_COLUMNS, len(active)) <= over,
        )
        for place, cohort in enumerate(members)
    )


def _set(cells: str) -> int:
    """The integer that has bit n where the n-th cell is `1`."""
    return int(cells[::-1] or "0", 2)


def _bits(numbers: Sequence[int], size: int) -> int:
    """The integer with these bits. Made of bytes: setting bits of a long integer copies it each time."""
    octets = bytearray(size // 8 + 1)
    for number in numbers:
        octets[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(octets, "little")
