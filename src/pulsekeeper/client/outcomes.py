"""What an answer settles of the events of a call. Pure."""

from collections import Counter
from collections.abc import Set as AbstractSet

from msgspec import Struct, field

from pulsekeeper.client.model import Receipt

_ABOUT_THE_SESSION = frozenset({"too_late", "unknown_session"})
"""Refusals that another session cures."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What an answer has settled of a batch's events."""

    settled: tuple[int, ...] = ()
    """Places in the batch of those that need not be sent again, whatever became of them."""
    acknowledged: int = 0
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    """By reason."""
    dropped: Counter[str] = field(default_factory=Counter)
    """By reason."""


NOTHING = Outcome()


def delivered(receipt: Receipt, events: int, kept: AbstractSet[int]) -> Outcome:
    """The service has judged so many events one by one; those at the places `kept` are to be sent again."""
    return Outcome(
        settled=tuple(place for place in range(events) if place not in kept),
        acknowledged=receipt.accepted,
        duplicates=receipt.duplicates,
        rejected=Counter(one.reason for one in receipt.rejected if one.index not in kept),
    )


def given_up(events: int, reason: str) -> Outcome:
    """So many events will never be taken."""
    return Outcome(settled=tuple(range(events)), dropped=Counter({reason: events}))


def in_the_wrong_session(receipt: Receipt) -> frozenset[int]:
    """The places of the events with which nothing is wrong but their session."""
    return frozenset(one.index for one in receipt.rejected if one.reason in _ABOUT_THE_SESSION)
