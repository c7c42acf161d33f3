"""From plain values, as `validation.decode_json` gives them, to campaigns and releases, or to all that is wrong there.

A document whose members are not all valid is still checked for what they violate together: what is at fault is put
aside, and the rest is read.
"""

import copy
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import UTC
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from pulsekeeper.decisions.rules.campaigns import Campaign, Release
from pulsekeeper.decisions.rules.checks import check, duplicates, inside, moment
from pulsekeeper.errors import Fault, Invalid
from pulsekeeper.validation import convert

T = TypeVar("T")
_Found = tuple[T | None, list[Fault]]
"""What was read, if anything could be, and everything that is wrong with it."""

_PLACEHOLDERS = {"id": "x", "type": "release", "action": "X"}


def read_campaign(document: object, taken: Container[object] = ()) -> Campaign:
    """A campaign whose id is none of those that are `taken`. Raises `Invalid` with every fault."""
    campaign, faults = _examined(document)
    return _sound(campaign, [*faults, *_clash(_id_of(document), taken)])


def read_campaign_as(campaign_id: str, document: Mapping[str, object]) -> Campaign:
    """A campaign whose id is said elsewhere: the document may leave it out, but not contradict."""
    campaign, faults = _examined({**document, "id": campaign_id})
    return _sound(campaign, [*faults, *_contradiction(campaign_id, document)])


def read_campaigns(documents: Sequence[object]) -> tuple[Campaign, ...]:
    """Campaigns of a list, no two with the same id. Raises `Invalid` with every fault of all."""
    examined = [_examined(document) for document in documents]
    faults = [fault for index, (_, found) in enumerate(examined) for fault in inside(f"/{index}", found)]
    faults += duplicates([_id_of(document) for document in documents])
    return _sound(tuple(campaign for campaign, _ in examined if campaign is not None), faults)


def read_release_as(release_id: str, document: Mapping[str, object]) -> Release:
    """A release whose id is said elsewhere, its date in UTC. Raises `Invalid` with every fault."""
    release, faults = _examined_release({**document, "id": release_id})
    return _sound(release, [*faults, *_contradiction(release_id, document)])


def _examined(document: object) -> _Found[Campaign]:
    try:
        campaign = convert(document, Campaign, unknown="ignore")  # the Structs refuse it themselves, and faster
    except Invalid as error:
        rest = _readable_rest(document, error.faults)
        return None, [*error.faults, *(() if rest is None else check(rest))]
    return campaign, check(campaign)


def _examined_release(document: object) -> _Found[Release]:
    try:
        release = convert(document, Release, unknown="ignore")
    except Invalid as error:
        return None, list(error.faults)
    if faults := [*moment("/releasedAt", release.released_at)]:
        return None, faults
    return replace(release, released_at=release.released_at.astimezone(UTC)), []


def _sound(value: T | None, faults: Sequence[Fault]) -> T:
    if faults or value is None:
        first = faults[0]
        raise Invalid(f"{first.pointer or 'the document'}: {first.detail}", faults)
    return value


def _clash(campaign_id: object, taken: Container[object]) -> list[Fault]:
    is_taken = isinstance(campaign_id, str) and campaign_id in taken
    return [Fault("/id", f"the id {campaign_id!r} is already taken")] if is_taken else []


def _contradiction(known_id: str, document: Mapping[str, object]) -> list[Fault]:
    if document.get("id", known_id) == known_id:
        return []
    return [Fault("/id", f"expected {known_id!r}, which is the id in the address, or no id")]


def _id_of(document: object) -> object:
    return document.get("id") if isinstance(document, dict) else None


def _readable_rest(document: object, faults: Iterable[Fault]) -> Campaign | None:
    """The campaign without what is at fault, made whole with placeholders; `None` when nothing sensible is left."""
    if not isinstance(document, dict):
        return None
    rest = copy.deepcopy(document)
    for fault in faults:
        _put_aside(rest, fault.pointer.split("/")[1:])
    try:
        return msgspec.convert(_PLACEHOLDERS | rest, Campaign, str_keys=True)
    except msgspec.ValidationError:
        return None


def _put_aside(node: dict[str, object], path: Sequence[str]) -> None:
    """Remove the member at `path`; one inside of a list takes the list with it, since places in it must not shift."""
    for step, name in enumerate(path):
        key = name.replace("~1", "/").replace("~0", "~")
        inner = node.get(key)
        if step == len(path) - 1 or not isinstance(inner, dict):
            node.pop(key, None)
            return
        node = inner
