"""Is this campaign one that can be kept? What its members violate together, or what only reading them can tell.

Types, ranges, patterns and unknown keys are in the Structs, and are refused where these are made, in `reading`.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from pulsekeeper.decisions.rules.campaigns import Campaign, Segment, Trigger
from pulsekeeper.decisions.rules.entries import limit_of
from pulsekeeper.decisions.rules.expressions.grammar import objections
from pulsekeeper.errors import Fault

MOST_PAYLOAD = 16 * 1024
"""Bytes of JSON."""

_RANGES = (
    ("min_days_since_last_seen", "max_days_since_last_seen", "minDaysSinceLastSeen"),
    ("min_visits", "max_visits", "minVisits"),
)
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9001, 1, 1, tzinfo=UTC)
_PATTERN_SIGNS = frozenset("*^$|\\[]{}")
_TRAPS = frozenset({"__proto__", "constructor"})
"""Keys that reach into the class of the JavaScript object that they are copied to."""


def check(campaign: Campaign) -> list[Fault]:
    """What speaks against a campaign whose members are each valid by themselves; empty when nothing does."""
    return [
        *_season(campaign),
        *_trigger(campaign.trigger),
        *_segment(campaign.trigger.segment),
        *_caps(campaign),
        *_payload(campaign),
    ]


def check_all(campaigns: Sequence[Campaign]) -> list[Fault]:
    """The same for a list, with the pointers of a JSON list; ids must differ."""
    faults = [fault for index, each in enumerate(campaigns) for fault in inside(f"/{index}", check(each))]
    return faults + duplicates([campaign.id for campaign in campaigns])


def duplicates(ids: Sequence[object]) -> list[Fault]:
    """The ids of a list that have been there before. What is no id at all is somebody else's business."""
    first: dict[str, int] = {}
    for index, key in enumerate(ids):
        if isinstance(key, str):
            first.setdefault(key, index)
    return [
        Fault(f"/{index}/id", f"the id {key!r} is already taken by campaign {first[key]} of this list")
        for index, key in enumerate(ids)
        if isinstance(key, str) and first[key] < index
    ]


def inside(prefix: str, faults: Iterable[Fault]) -> list[Fault]:
    """The faults of a part, as those of the whole that has it at `prefix`."""
    return [Fault(prefix + fault.pointer, fault.detail) for fault in faults]


def moment(pointer: str, at: datetime | None) -> Iterator[Fault]:
    """A moment so far away that it, or one not far from it, could not be said in every time zone."""
    if at is not None and not _EARLIEST <= at < _LATEST:
        yield Fault(pointer, f"lies outside of the years {_EARLIEST.year} to {_LATEST.year - 1}")


def _season(campaign: Campaign) -> Iterator[Fault]:
    begins, ends = campaign.valid_from, campaign.valid_to
    yield from moment("/validFrom", begins)
    yield from moment("/validTo", ends)
    if begins is not None and ends is not None and begins >= ends:
        yield Fault("/validTo", "must be later than validFrom")


def _trigger(trigger: Trigger) -> Iterator[Fault]:
    for low, high, name in _RANGES:
        least, most = getattr(trigger, low), getattr(trigger, high)
        if least is not None and most is not None and least > most:
            yield Fault(f"/trigger/{name}", f"the minimum {least} is more than the maximum {most}")
    if trigger.when is not None:
        yield from (Fault("/trigger/when", detail) for detail in objections(trigger.when))


def _segment(segment: Segment) -> Iterator[Fault]:
    """A pattern would silently match nobody."""
    for member, values in (("regions", segment.regions), ("deviceType", segment.device_type)):
        for index, value in enumerate(values):
            if not _PATTERN_SIGNS.isdisjoint(value):
                yield Fault(
                    f"/trigger/segment/{member}/{index}", f"{value!r} looks like a pattern; values are compared exactly"
                )


def _caps(campaign: Campaign) -> Iterator[Fault]:
    for index, cap in enumerate(campaign.frequency.caps):
        try:
            limit_of(cap)
        except ValueError as error:
            yield Fault(f"/frequency/caps/{index}/period", str(error))


def _payload(campaign: Campaign) -> Iterator[Fault]:
    size = len(msgspec.json.encode(campaign.message_payload))
    if size > MOST_PAYLOAD:
        yield Fault("/messagePayload", f"has {size} bytes of JSON; at most {MOST_PAYLOAD} are allowed")
    else:
        yield from _traps(campaign.message_payload, "/messagePayload")


def _traps(value: object, pointer: str) -> Iterator[Fault]:
    if isinstance(value, dict):
        for key, inner in value.items():
            place = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            if key in _TRAPS:
                yield Fault(place, f"the key {key!r} is not safe in a browser")
            yield from _traps(inner, place)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _traps(inner, f"{pointer}/{index}")
