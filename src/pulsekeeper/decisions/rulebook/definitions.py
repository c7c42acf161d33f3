"""A campaign as text: as it is stored, as people read it, and what tells one version from another."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from difflib import unified_diff
from functools import cache
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import replace

from pulsekeeper.decisions.rules.campaigns import Campaign

T = TypeVar("T")

_canonical = msgspec.json.Encoder(order="sorted")
_campaign = msgspec.json.Decoder(Campaign)


class Difference(Struct, frozen=True, kw_only=True):
    """What becomes of things, by their ids."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


class _Member(NamedTuple):
    name: str
    key: str
    default: object


def definition(campaign: Campaign) -> bytes:
    """A campaign as it is stored: canonical JSON, so that equal campaigns are equal texts."""
    return _canonical.encode(
        replace(campaign, valid_from=_in_utc(campaign.valid_from), valid_to=_in_utc(campaign.valid_to))
    )


def read_definition(text: bytes) -> Campaign:
    """The campaign that was stored as `text`."""
    return _campaign.decode(text)


def page(text: bytes) -> bytes:
    """A stored campaign as people keep it in files: indented, members as documented, without those left at default."""
    return msgspec.json.format(msgspec.json.encode(_said(read_definition(text))), indent=2) + b"\n"


def compare(before: Mapping[str, T], after: Mapping[str, T]) -> Difference:
    """How `after` differs from `before`."""
    return Difference(
        added=tuple(key for key in after if key not in before),
        changed=tuple(key for key in after if key in before and after[key] != before[key]),
        removed=tuple(key for key in before if key not in after),
    )


def unified(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[str]:
    """The lines of a unified diff between two sets of stored campaigns; none where they are the same."""
    difference = compare(before, after)
    for key in sorted((*difference.added, *difference.changed, *difference.removed)):
        yield from unified_diff(
            _lines(before.get(key)),
            _lines(after.get(key)),
            f"stored/{key}" if key in before else "/dev/null",
            f"folder/{key}" if key in after else "/dev/null",
            lineterm="",
        )


def _lines(text: bytes | None) -> list[str]:
    return [] if text is None else page(text).decode().split("\n")[:-1]


def _in_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


def _said(value: object) -> object:
    """Structs as JSON objects that have only what was said."""
    if isinstance(value, Struct):
        given = [(member, getattr(value, member.name)) for member in _members(type(value))]
        return {member.key: _said(inner) for member, inner in given if inner != member.default}
    if isinstance(value, tuple):
        return [_said(item) for item in value]
    return value


@cache
def _members(of: type[Struct]) -> tuple[_Member, ...]:
    return tuple(_Member(field.name, field.encode_name, _default(field)) for field in msgspec.structs.fields(of))


def _default(field: msgspec.structs.FieldInfo) -> object:
    """What stands for a member that was not said; `NODEFAULT`, which nothing equals, where it must be."""
    return field.default if field.default_factory is NODEFAULT else field.default_factory()
