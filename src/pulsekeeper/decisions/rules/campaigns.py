"""What operators write: campaigns and releases, exactly as they stand in JSON files and in the management API.

Every member that may be left out has a default that adds no condition. What one member can violate by itself (a type,
a range, a pattern) is said here and so also in the published schema; what members violate together is in `checks`.

JSON has no cycles, so the Structs are hidden from the garbage collector (`gc=False`): with thousands of campaigns it
would hold the event loop up for longer than everything else.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Instant = Annotated[datetime, Meta(tz=True)]
"""A moment with its offset from UTC; a time without one is refused."""

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Slug = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9-]{0,63}$(?!\n)",
        description="of small letters, digits and hyphens, at most 64",
        examples=["new-release-2025q4"],
    ),
]
"""The lookahead refuses a final newline, which Python's `$` lets through."""
Action = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z_]{1,64}$(?!\n)",
        description="of capital letters and underscores, at most 64",
        examples=["SHOW_DIALOG", "SHOW_SNACKBAR", "SHOW_BANNER"],
    ),
]
Address = Annotated[
    str,
    Meta(
        max_length=2048,
        pattern=r"^(https?://|/(?![/\\]))[^\s]*$(?!\n)",
        description="that is an http address or a path",
        examples=["/releases/2025.10.1"],
    ),
]
"""Of a page: `https://…`, `http://…`, or a path on the site. Not `javascript:…`, nor another site in disguise."""
Days = Annotated[int, Meta(ge=0, le=36525)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Times = Annotated[int, Meta(ge=1, le=1000)]
Values = Annotated[tuple[Name, ...], Meta(max_length=300)]


class Segment(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, gc=False):
    """Whom the campaign is for. Each list that is not empty must match; within a list one value is enough."""

    roles: Values = ()
    """Roles from the verified token. What a client says about its own roles never counts."""
    regions: Values = ()
    """Values of the attribute `region`. `US` takes its subdivisions, such as `US-MA`."""
    device_type: Values = ()
    """Values of the attribute `deviceType`, compared exactly."""


class Trigger(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, gc=False):
    """When the campaign is due. Everything that is set must hold."""

    release_id: Name | None = None
    """The release that it announces: the client must run it or a later one, and the person must not have seen it."""
    min_days_since_last_seen: Days | None = None
    """Away for more than this many days of 24 hours; exactly as many are not yet enough. Never met by a new person."""
    max_days_since_last_seen: Days | None = None
    """Away for at most this many days of 24 hours. Never met by a new person."""
    min_visits: Count | None = None
    """At least this many visits in all, this one counted."""
    max_visits: Count | None = None
    """At most this many visits in all, this one counted; 1 means the first visit only."""
    max_visits_today: Count | None = None
    """At most this many visits in the person's local day, this one counted."""
    require_auth: bool = False
    """Only for people with a verified token."""
    feature_flags: Annotated[tuple[Name, ...], Meta(max_length=64)] = ()
    """Flags of which the client must have every one."""
    segment: Segment = Segment()
    when: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None
    """A CEL expression that must give `true`; `expressions` says what it may use."""


class Rollout(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, gc=False):
    """The share of people for whom the campaign is due. A higher percentage keeps everyone who was in."""

    percent: Annotated[float, Meta(ge=0, le=100)] = 100.0
    salt: Annotated[str, Meta(max_length=64)] = ""
    """Two campaigns with the same salt reach the same people; without one, each campaign draws its own."""


class Cap(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, gc=False):
    """At most `cap` confirmed showings to one person in `period`."""

    cap: Times
    period: Annotated[str, Meta(max_length=32, examples=["P1D", "P1W", "PT12H"])]
    """Rolling: any duration, such as `P1D` or `12h`. Calendar: `P1D`, `P1W` (ISO, from Monday; also `P7D`), `P1M`."""
    clock: Literal["rolling", "calendar"] = "rolling"
    """Rolling looks back one period from now; calendar counts in the person's current local day, week or month."""


class Frequency(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, gc=False):
    """How often one person may see the campaign."""

    lifetime: Times | None = None
    """Confirmed showings ever; without it only the caps and the answer count."""
    caps: Annotated[tuple[Cap, ...], Meta(max_length=8)] = ()
    offers: Times = 3
    """Offers that nobody answered, after which this person is left alone."""
    until_acknowledged: bool = True
    """Whether completing or dismissing it ends it for this person."""


class Exempt(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, gc=False):
    """Which of the rules that protect people from too many messages do not apply."""

    cooldown: bool = False
    """It is shown although something else was just shown, and its showing keeps nothing else back."""
    quiet: bool = False
    """It is shown to people who visit very often, too."""


class Campaign(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, gc=False):
    """One message, whom it is for, and when."""

    id: Slug
    type: Literal["release", "onboarding", "reengagement", "rollout", "survey"]
    """What it is for. No rule looks at it; but whoever completes or dismisses a `release` has seen that release."""
    action: Action
    """What the site does with the payload; any token that the site understands."""
    priority: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)] = 0
    """The highest one that is due wins."""
    active: bool = True
    valid_from: Instant | None = None
    """The first moment at which it may be shown."""
    valid_to: Instant | None = None
    """The first moment at which it may not be shown any more."""
    group: Annotated[str, Meta(max_length=64)] = ""
    """A label by which operators sort their campaigns; no rule looks at it."""
    trigger: Trigger = Trigger()
    rollout: Rollout | None = None
    frequency: Frequency = Frequency()
    exempt: Exempt = Exempt()
    together: bool = False
    """Whether it may accompany the winner, as a banner may accompany a dialog."""
    personal: bool = False
    """Never given to someone of whom only the address is known: two people may share it."""
    message_payload: dict[str, Any] = {}  # any JSON: msgspec has no recursive types
    """Whatever the site needs to show it, handed over untouched: at most 16 KiB of JSON."""


class Release(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, gc=False):
    """One release of the site. Until `released_at` it is known but not yet the latest."""

    id: Name
    released_at: Instant
    notes_url: Address | None = None


class CampaignInPlace(Campaign, frozen=True, kw_only=True):
    """A campaign whose id is in the address already, so that it may be left out."""

    id: Slug | UnsetType = UNSET  # type: ignore[assignment]  # it describes a body, and is never made


class ReleaseInPlace(Release, frozen=True, kw_only=True):
    """A release whose id is in the address already, so that it may be left out."""

    id: Name | UnsetType = UNSET  # type: ignore[assignment]  # the same


class Switch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be changed of a campaign without sending all of it."""

    active: bool


class CampaignPage(Struct, frozen=True):
    """Campaigns in the order of their ids."""

    campaigns: tuple[Campaign, ...]
    next: str | None
    """Where there are more: what to ask `after` for them."""


class ReleaseList(Struct, frozen=True):
    """All releases, the latest first."""

    releases: tuple[Release, ...]
