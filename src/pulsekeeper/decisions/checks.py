"""Is this campaign one that can be kept? Everything that is wrong with it is said at once, each with its place.

Types, ranges, patterns and unknown keys are in the Structs. Here is what members violate together, or what only reading
them can tell. A document with faults of the first sort is still checked for those of the second: what is at fault is
put aside, and the rest is read.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from pulsekeeper.decisions import expressions
from pulsekeeper.decisions.campaigns import Campaign, Trigger
from pulsekeeper.decisions.entries import limit_of
from pulsekeeper.errors import Fault, Invalid
from pulsekeeper.validation import convert, place_of

MOST_PAYLOAD = 16 * 1024
"""Bytes of JSON."""

_PLACEHOLDERS = {"id": "x", "type": "release", "action": "X"}
_RANGES = (
    ("min_days_since_last_seen", "max_days_since_last_seen", "minDaysSinceLastSeen"),
    ("min_visits", "max_visits", "minVisits"),
)


def read_campaign(document: object) -> Campaign:
    """Make a campaign of plain values, as JSON gives them. Raises `Invalid` with every fault."""
    try:
        campaign = convert(document, Campaign, unknown="refuse")
    except Invalid as error:
        rest = _readable_rest(document, error.faults)
        raise _refusal([*error.faults, *(() if rest is None else check(rest))]) from None
    if faults := check(campaign):
        raise _refusal(faults)
    return campaign


def read_campaigns(documents: Sequence[object]) -> tuple[Campaign, ...]:
    """Make campaigns of a list of plain values, no two with the same id. Raises `Invalid` with every fault of all."""
    campaigns: list[Campaign] = []
    faults: list[Fault] = []
    for index, document in enumerate(documents):
        try:
            campaigns.append(read_campaign(document))
        except Invalid as error:
            faults += _inside(f"/{index}", error.faults)
    faults += _duplicates([_id_of(document) for document in documents])
    if faults:
        raise _refusal(faults)
    return tuple(campaigns)


def check(campaign: Campaign) -> list[Fault]:
    """What speaks against a campaign whose members are each valid by themselves; empty when nothing does."""
    return [*_season(campaign), *_trigger(campaign.trigger), *_caps(campaign), *_payload(campaign)]


def check_all(campaigns: Sequence[Campaign]) -> list[Fault]:
    """The same for a list, with the pointers of a JSON list; ids must differ."""
    faults = [fault for index, each in enumerate(campaigns) for fault in _inside(f"/{index}", check(each))]
    return faults + _duplicates([campaign.id for campaign in campaigns])


def _season(campaign: Campaign) -> Iterator[Fault]:
    begins, ends = campaign.valid_from, campaign.valid_to
    if begins is not None and ends is not None and begins >= ends:
        yield Fault("/validTo", "must be later than validFrom")


def _trigger(trigger: Trigger) -> Iterator[Fault]:
    for low, high, name in _RANGES:
        least, most = getattr(trigger, low), getattr(trigger, high)
        if least is not None and most is not None and least > most:
            yield Fault(f"/trigger/{name}", f"the minimum {least} is more than the maximum {most}")
    if trigger.when is not None:
        yield from (Fault("/trigger/when", detail) for detail in expressions.faults(trigger.when))


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


def _duplicates(ids: Sequence[object]) -> list[Fault]:
    return [
        Fault(f"/{index}/id", f"the id {key!r} is already taken by campaign {ids.index(key)} of this list")
        for index, key in enumerate(ids)
        if isinstance(key, str) and ids.index(key) < index
    ]


def _id_of(document: object) -> object:
    return document.get("id") if isinstance(document, dict) else None


def _readable_rest(document: object, faults: Iterable[Fault]) -> Campaign | None:
    """The campaign without what is at fault, made whole with placeholders; `None` when nothing sensible is left."""
    if not isinstance(document, dict):
        return None
    rest = copy.deepcopy(document)
    for fault in faults:
        _put_aside(rest, place_of(fault.pointer))
    try:
        return msgspec.convert(_PLACEHOLDERS | rest, Campaign, str_keys=True)
    except msgspec.ValidationError:
        return None


def _put_aside(node: dict[str, object], path: Sequence[str]) -> None:
    """Remove the member at `path`; one inside of a list takes the list with it, since places in it must not shift."""
    for step, key in enumerate(path):
        inner = node.get(key)
        if step == len(path) - 1 or not isinstance(inner, dict):
            node.pop(key, None)
            return
        node = inner


def _inside(prefix: str, faults: Iterable[Fault]) -> list[Fault]:
    return [Fault(prefix + fault.pointer, fault.detail) for fault in faults]


def _refusal(faults: Sequence[Fault]) -> Invalid:
    first = faults[0]
    return Invalid(f"{first.pointer or 'the campaign'}: {first.detail}", faults)
